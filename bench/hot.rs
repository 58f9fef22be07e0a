//! The pure parts that requests spend their time in: `cargo bench`.

use std::hint::black_box;

use actix_web::http::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_NONE_MATCH};
use divan::Bencher;
use lanmu::articles::text::{count_words, render, title_key};
use lanmu::articles::wire::BodyFormat;
use lanmu::hits::{Salt, Visitor};
use lanmu::http::answer::{Delivery, Prepared};
use lanmu::http::reference::Slug;
use serde_json::json;

fn main() {
    divan::main();
}

const SENTENCE: &str =
    "渡口的晨班船六点四十分开航，乘客凭预约码登船；the tide table is posted at Pier 3。";

fn delivery() -> Delivery {
    let body = SENTENCE.repeat(30);
    let article = json!({"data": {"id": 12, "title": "渡口通航公告", "body": body}});
    Delivery::json(&article).expect("it serialises")
}

fn kept() -> Prepared {
    delivery().prepared(None).expect("it is an answer")
}

fn answer(kept: &Prepared, headers: &HeaderMap) {
    let answer = kept.answer(headers, "public, max-age=60");
    black_box(answer.expect("it is an answer"));
}

#[divan::bench]
fn prepare_an_answer(bencher: Bencher) {
    bencher
        .with_inputs(delivery)
        .bench_values(|delivery| delivery.prepared(None).map(|kept| kept.size()));
}

#[divan::bench(args = ["identity", "gzip", "br"])]
fn answer_what_is_kept(bencher: Bencher, coding: &str) {
    let (kept, mut headers) = (kept(), HeaderMap::new());
    let coding = HeaderValue::from_str(coding).expect("a value");
    headers.insert(ACCEPT_ENCODING, coding);
    bencher.bench(|| answer(&kept, &headers));
}

#[divan::bench]
fn answer_304(bencher: Bencher) {
    let (kept, mut headers) = (kept(), HeaderMap::new());
    headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
    bencher.bench(|| answer(&kept, &headers));
}

#[divan::bench(args = ["html", "markdown", "text"])]
fn render_a_body(bencher: Bencher, format: &str) {
    let format = BodyFormat::parse(format).expect("a format");
    let content = format!("<p>{SENTENCE}</p>\n\n").repeat(30);
    bencher.bench(|| render(format, black_box(&content)).map(|rendered| rendered.words));
}

#[divan::bench]
fn count_the_words(bencher: Bencher) {
    let text = SENTENCE.repeat(30);
    bencher.bench(|| count_words(black_box(&text)));
}

#[divan::bench]
fn sort_key_of_a_title() -> Vec<u8> {
    title_key(black_box("渡口通航公告：晨班船恢复"))
}

#[divan::bench]
fn slug_of_a_title() -> Slug {
    Slug::from_title(black_box("渡口通航公告：晨班船恢复"), "article")
}

#[divan::bench]
fn hash_of_a_visitor(bencher: Bencher) {
    let salt = Salt::new(&[7; 32]);
    let visitor = Visitor::named("Mozilla/5.0 (X11; Linux x86_64; rv:140.0)");
    bencher.bench(|| black_box(&visitor).hash(&salt));
}
