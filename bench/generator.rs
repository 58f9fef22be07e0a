//! Made-up sections, articles and hit counts: the same for the same seed and instant. Used by the program
//! `generate` beside it and by the tests that look at plans.

use lanmu::articles::store::{Act, Writer, create};
use lanmu::articles::wire::{BodyFormat, Edits, NewBody, Publication, Source};
use lanmu::audit::Actor;
use lanmu::clock::SiteZone;
use lanmu::db::{Conn, Timestamp};
use lanmu::error::ApiResult;
use lanmu::http::fields::Check;
use lanmu::http::reference::Slug;
use lanmu::sections::Reach;
use lanmu::{hits, sections};

/// Sections: 5 at the top, 5 below each of those, 1 below every second of those.
const TOP: usize = 5;
const BELOW: usize = 5;
/// Over how many days the articles are spread: ten years.
const SPREAD_DAYS: u64 = 3650;

const PLACES: &[&str] = &[
    "东港", "南坪", "云岭", "白榕", "潮门", "石湾", "青屿", "月湖", "北滩", "柳溪", "金沙", "望海",
];
const THINGS: &[&str] = &[
    "渡口",
    "菜市场",
    "图书馆",
    "地铁站",
    "老街",
    "河堤",
    "学校",
    "医院",
    "码头",
    "公园",
    "果园",
    "粮仓",
];
const EVENTS: &[&str] = &[
    "完成改造",
    "今日开放",
    "发布公告",
    "迎来客流",
    "调整时间",
    "公开征求意见",
    "举办市集",
    "通过验收",
];
const WORDS: &[&str] = &[
    "居民",
    "工程",
    "服务",
    "清晨",
    "数据",
    "交通",
    "水质",
    "志愿者",
    "计划",
    "设施",
    "开放",
    "记录",
    "渔船",
    "道路",
    "线路",
    "检查",
    "收成",
    "展览",
    "阅读",
    "安全",
    "Rust",
    "harbour",
    "report",
    "2026",
];
const TAGS: &[&str] = &[
    "海洋", "交通", "民生", "文化", "教育", "健康", "环境", "城市", "数据", "农业",
];

/// A deterministic stream of numbers (SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        // The remainder is below the length.
        from[self.below(from.len() as u64) as usize]
    }
}

/// Makes the sections and returns their ids.
pub fn sections(conn: &mut Conn, now: Timestamp) -> ApiResult<Vec<i64>> {
    let mut ids = Vec::new();
    let mut add = |conn: &mut Conn, name: String, slug: String, parent_id: Option<i64>| {
        let edits = sections::store::Edits {
            name,
            visible: true,
            description: None,
            keywords: Vec::new(),
            kind: None,
            cover: None,
            max_age_days: None,
        };
        let slug = Slug::parse(&slug);
        let new = sections::store::NewSection {
            parent_id,
            position: None,
            slug,
            edits,
        };
        let id = sections::store::create(conn, new, Check::default(), &Actor::system().at(now))?.id;
        ids.push(id);
        ApiResult::Ok(id)
    };
    for top in 0..TOP {
        let parent = add(conn, format!("频道{top}"), format!("channel-{top}"), None)?;
        for below in 0..BELOW {
            let slug = format!("column-{top}-{below}");
            let column = add(conn, format!("栏目{top}-{below}"), slug, Some(parent))?;
            if below % 2 == 0 {
                let slug = format!("topic-{top}-{below}");
                add(conn, format!("专题{top}-{below}"), slug, Some(column))?;
            }
        }
    }
    Ok(ids)
}

/// Makes the articles of these numbers, each with its views; call it once for each batch.
pub fn articles(
    conn: &mut Conn,
    sections: &[i64],
    numbers: &mut Numbers,
    range: std::ops::Range<usize>,
    now: Timestamp,
    zone: SiteZone,
) -> ApiResult<()> {
    let tree = sections::store::tree(conn)?;
    for index in range {
        let edits = article(numbers, sections, index, now);
        let seconds = numbers.below(SPREAD_DAYS * 86_400);
        let published_at = now.plus_seconds(-i64::try_from(seconds).unwrap_or(0));
        // One in fifty is a draft.
        let publication = (index % 50 != 49).then_some(Publication {
            published_at: Some(published_at),
            ..Publication::default()
        });
        let writer = Writer {
            act: Act {
                by: Actor::system().at(published_at),
                note: None,
                tree: std::sync::Arc::new(tree.clone()),
                checker: None,
            },
            reach: Reach::Everywhere,
            caller: None,
        };
        let stored = create(conn, edits, publication, &writer, Check::default())?;
        let views = 1 + i64::try_from(numbers.below(40) * numbers.below(40)).unwrap_or(0);
        let days = 1 + numbers.below(5);
        for day in 0..days {
            let at = now.plus_seconds(-i64::try_from(day * 7 * 86_400).unwrap_or(0));
            hits::store::add_history(conn, stored.row.id, views, at, zone, now)?;
        }
    }
    Ok(())
}

fn article(numbers: &mut Numbers, sections: &[i64], index: usize, now: Timestamp) -> Edits {
    let place = numbers.pick(PLACES);
    let title = format!("{place}{}{}", numbers.pick(THINGS), numbers.pick(EVENTS));
    let section = |numbers: &mut Numbers| sections[numbers.below(sections.len() as u64) as usize];
    let section_id = section(numbers);
    let also = section(numbers);
    let paragraphs = 3 + numbers.below(6);
    let body: String = (0..paragraphs)
        .map(|_| {
            let words: Vec<&str> = (0..60).map(|_| numbers.pick(WORDS)).collect();
            format!("<p>{}。</p>", words.join(""))
        })
        .collect();
    let mut tags: Vec<String> = (0..numbers.below(4))
        .map(|_| numbers.pick(TAGS).to_owned())
        .collect();
    tags.sort();
    tags.dedup();
    Edits {
        title,
        section_id,
        also_in: if index.is_multiple_of(10) && also != section_id {
            vec![also]
        } else {
            Vec::new()
        },
        slug: Some(format!("article-no-{index}")),
        summary: Some(format!("{place}的消息，第{index}条。")),
        source: (!index.is_multiple_of(3)).then(|| Source {
            name: format!("{}日报", numbers.pick(PLACES)),
            url: None,
        }),
        author: (!index.is_multiple_of(4)).then(|| format!("作者{}", numbers.below(200))),
        keywords: vec![place.to_owned()],
        tags,
        featured: index.is_multiple_of(40),
        pinned_until: (index % 500 == 7).then(|| now.plus_seconds(30 * 86_400)),
        body: Some(NewBody {
            format: BodyFormat::Html,
            content: body,
        }),
        ..Edits::nothing("zh-CN")
    }
}
