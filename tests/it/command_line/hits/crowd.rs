//! Readers who send hits in every way there is, and remember what was said to them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::numbers::Numbers;

/// An article and, where it has one, the hit's id.
type Sent = (i64, Option<String>);

/// Hits of one article that have no id.
#[derive(Default)]
struct Plain {
    acknowledged: i64,
    /// Answered with an error or not at all.
    unknown: i64,
}

/// What was sent, and what was said to it.
#[derive(Default)]
pub struct Said {
    plain: RefCell<BTreeMap<i64, Plain>>,
    /// Hits that have an id; true: acknowledged.
    keyed: RefCell<HashMap<(i64, String), bool>>,
    /// Hits that had an id and were sent until they were acknowledged.
    settled: RefCell<BTreeMap<i64, i64>>,
    statuses: RefCell<BTreeMap<u16, u64>>,
}

impl Said {
    /// How many answers had this status; 0: requests without an answer.
    pub fn answers(&self, status: u16) -> u64 {
        self.statuses
            .borrow()
            .get(&status)
            .copied()
            .unwrap_or_default()
    }

    /// Hits that were acknowledged.
    pub fn acknowledged(&self) -> i64 {
        let plain: i64 = self.plain.borrow().values().map(|p| p.acknowledged).sum();
        let keyed = self.keyed.borrow().values().filter(|done| **done).count();
        let settled: i64 = self.settled.borrow().values().sum();
        plain + settled + i64::try_from(keyed).expect("few")
    }

    /// Nothing acknowledged is missing, and nothing is there that was not sent.
    #[track_caller]
    pub fn assert_kept(&self, counts: &BTreeMap<i64, i64>) {
        for (id, [least, most]) in self.bounds(counts) {
            let stored = counts[&id];
            assert!(
                (least..=most).contains(&stored),
                "article {id}: {stored} stored, {least} acknowledged, {most} sent"
            );
        }
    }

    /// What was acknowledged is stored, and nothing else.
    #[track_caller]
    pub fn assert_exact(&self, counts: &BTreeMap<i64, i64>) {
        for (id, [acknowledged, _]) in self.bounds(counts) {
            assert_eq!(counts[&id], acknowledged, "article {id}");
        }
    }

    /// One more hit of each article is told the count that the reading has, and itself.
    pub async fn assert_told(&self, base: &str, counts: &BTreeMap<i64, i64>) {
        for (id, count) in counts {
            let url = format!("{base}/v1/articles/{id}/hits");
            let answer = Client::new().post(url).send().await.expect("an answer");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer["total"], count + 1, "article {id}: {answer}");
            self.plain.borrow_mut().entry(*id).or_default().acknowledged += 1;
        }
    }

    /// What was acknowledged and what was sent, by article.
    fn bounds(&self, counts: &BTreeMap<i64, i64>) -> BTreeMap<i64, [i64; 2]> {
        let mut bounds: BTreeMap<i64, [i64; 2]> = counts.keys().map(|id| (*id, [0; 2])).collect();
        let mut add = |id: &i64, acknowledged: i64, sent: i64| {
            let [least, most] = bounds.get_mut(id).expect("an article of the shelf");
            *least += acknowledged;
            *most += sent;
        };
        for (id, plain) in self.plain.borrow().iter() {
            add(id, plain.acknowledged, plain.acknowledged + plain.unknown);
        }
        for ((id, _), is_acknowledged) in self.keyed.borrow().iter() {
            add(id, i64::from(*is_acknowledged), 1);
        }
        for (id, number) in self.settled.borrow().iter() {
            add(id, *number, *number);
        }
        bounds
    }

    fn note_sent(&self, hits: &[Sent]) {
        for (id, hit_id) in hits {
            match hit_id {
                Some(hit_id) => drop(self.keyed.borrow_mut().insert((*id, hit_id.clone()), false)),
                None => self.plain.borrow_mut().entry(*id).or_default().unknown += 1,
            }
        }
    }

    fn note_counted(&self, hits: &[Sent]) {
        for (id, hit_id) in hits {
            match hit_id {
                Some(hit_id) => drop(self.keyed.borrow_mut().insert((*id, hit_id.clone()), true)),
                None => {
                    let mut plain = self.plain.borrow_mut();
                    let plain = plain.entry(*id).or_default();
                    plain.unknown -= 1;
                    plain.acknowledged += 1;
                }
            }
        }
    }

    /// Sends all hits that have an id again: what was acknowledged is a duplicate, what was not counts
    /// unless it did before.
    pub async fn settle(&self, base: &str) {
        let keyed: Vec<_> = self.keyed.take().into_iter().collect();
        for chunk in keyed.chunks(500) {
            let items = chunk
                .iter()
                .map(|((id, hit_id), _)| json!({"article_id": id, "hit_id": hit_id}));
            let hits = json!({"hits": items.collect::<Vec<_>>()});
            for is_again in [false, true] {
                let url = format!("{base}/v1/hits");
                let answer = Client::new().post(url).json(&hits).send();
                let answer = answer.await.expect("an answer");
                assert_eq!(answer.status(), 200);
                let answer: Value = answer.json().await.expect("JSON");
                for (((id, hit_id), is_acknowledged), result) in chunk.iter().zip(results(&answer))
                {
                    let is_new = !is_again && !is_acknowledged && result == "counted";
                    assert!(
                        is_new || result == "duplicate",
                        "{id} {hit_id} {is_acknowledged} {is_again}: {result}"
                    );
                }
            }
            for ((id, _), _) in chunk {
                *self.settled.borrow_mut().entry(*id).or_default() += 1;
            }
        }
    }
}

/// What became of each hit of an answer.
fn results(answer: &Value) -> Vec<&str> {
    match answer["data"].as_array() {
        Some(items) => items
            .iter()
            .map(|item| item["result"].as_str().expect("a result"))
            .collect(),
        None => vec![answer["result"].as_str().expect("a result")],
    }
}

/// Readers of these articles.
pub struct Crowd<'a> {
    client: Client,
    base: &'a str,
    articles: &'a [i64],
    said: &'a Said,
    is_over: Cell<bool>,
}

impl<'a> Crowd<'a> {
    /// Readers who send their hits to this address.
    pub fn new(base: &'a str, articles: &'a [i64], said: &'a Said) -> Self {
        Self {
            client: Client::new(),
            base,
            articles,
            said,
            is_over: Cell::new(false),
        }
    }

    /// No further hit is sent.
    pub fn end(&self) {
        self.is_over.set(true);
    }

    /// Waits until there are so many more answers of this status.
    pub async fn wait_for(&self, status: u16, more: u64) {
        let wanted = self.said.answers(status) + more;
        for _ in 0..6000 {
            if self.said.answers(status) >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("answers: {:?}", self.said.statuses.borrow());
    }

    /// Sends one hit after the other until it is over.
    pub async fn read(&self, numbers: Numbers) {
        while !self.is_over.get() {
            let is_batch = numbers.below(3) == 0;
            let number = if is_batch { 1 + numbers.below(20) } else { 1 };
            let hits: Vec<Sent> = (0..number)
                .map(|_| {
                    let has_id = is_batch || numbers.below(2) == 0;
                    let hit_id = has_id.then(|| format!("{:x}", numbers.below(u64::MAX)));
                    (numbers.pick(self.articles), hit_id)
                })
                .collect();
            self.send(&hits, is_batch).await;
        }
    }

    async fn send(&self, hits: &[Sent], is_batch: bool) {
        self.said.note_sent(hits);
        let status = match self.ask(hits, is_batch).await {
            Ok((200, answer)) => {
                let results = results(&answer);
                assert_eq!(results, vec!["counted"; hits.len()], "{answer}");
                self.said.note_counted(hits);
                200
            }
            Ok((503, _)) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                503
            }
            Ok((status, answer)) => panic!("{status} {answer}"),
            // No answer, or one that is cut off.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                0
            }
        };
        *self.said.statuses.borrow_mut().entry(status).or_default() += 1;
    }

    async fn ask(&self, hits: &[Sent], is_batch: bool) -> reqwest::Result<(u16, Value)> {
        let item = |(id, hit_id): &Sent| json!({"article_id": id, "hit_id": hit_id});
        let request = match hits {
            [(id, hit_id)] if !is_batch => {
                let request = self
                    .client
                    .post(format!("{}/v1/articles/{id}/hits", self.base));
                match hit_id {
                    Some(hit_id) => request.json(&json!({"hit_id": hit_id})),
                    None => request,
                }
            }
            hits => {
                let items: Vec<Value> = hits.iter().map(item).collect();
                self.client
                    .post(format!("{}/v1/hits", self.base))
                    .json(&json!({"hits": items}))
            }
        };
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        if status == 503 {
            assert!(answer.headers().contains_key("retry-after"));
        }
        Ok((status, answer.json().await?))
    }
}
