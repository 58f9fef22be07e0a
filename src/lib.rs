//! Lanmu (栏目, "site column"): a headless content API for portals and news sites.
//!
//! The house: each feature is a folder with the same rooms.
//!
//! | module | what it is |
//! |---|---|
//! | [`app`] | what every handler has: settings, database, clock, keys |
//! | [`config`] | settings from the environment |
//! | [`clock`] | the one source of "now", and the site's days |
//! | [`error`] | every error, its status, its problem document |
//! | [`db`] | one connection type over SQLite and PostgreSQL |
//! | [`http`] | what all handlers share: reading requests, paging, answering |
//! | [`visibility`] | the one predicate behind every delivery read |
//! | [`secrets`] | random keys that all nodes share |
//! | [`slugs`] | free slugs and old slugs |
//! | [`writes`] | safe writes: versions, dry runs, `Idempotency-Key` |
//! | [`changes`] | the change log, and what followers read of it |
//! | [`purges`] | caches elsewhere are told what writes change |
//! | [`limits`] | how much one client may ask for |
//! | [`sections`], [`articles`], [`previews`], [`hits`], [`site`] | the features of the site |
//! | [`auth`], [`users`], [`api_keys`], [`audit`] | who is calling, who may do what, who did what |
//! | [`openapi`] | the document |
//! | [`server`] | middleware order, mounted features, shutdown |
//! | [`cli`] | the commands |
//! | [`memory`] | what the allocator and SQLite are told of memory |
//! | [`demo`] | the sample content |
//!
//! In a feature: `wire` is the JSON, `handlers` are delivery's operations, `admin` management's,
//! `store` the queries, `rules` (or `tree`, `text`) the pure decisions.

#![warn(missing_docs)]

pub mod api_keys;
pub mod app;
pub mod articles;
pub mod audit;
pub mod auth;
pub mod cache;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod demo;
pub mod error;
pub mod hits;
pub mod http;
pub mod limits;
pub mod memory;
pub mod openapi;
pub mod previews;
pub mod purges;
pub mod secrets;
pub mod sections;
pub mod server;
pub mod site;
pub mod slugs;
pub mod telemetry;
pub mod users;
pub mod view;
pub mod visibility;
pub mod writes;
