//! What the facts stand on: databases of their own, the real server, a client that holds every
//! answer against the OpenAPI document.

pub mod app;
pub mod client;
pub mod cluster;
pub mod contract;
pub mod databases;
pub mod numbers;
pub mod people;
pub mod replicated;
pub mod secrets;
pub mod stage;
pub mod statements;
