//! Tokens made by hand, with the service's own key or a stranger's.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use diesel::prelude::*;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use lanmu::db::schema::signing_keys;
use serde_json::{Value, json};

use crate::support::app::TestApp;

/// What the service signs tokens with, to forge others.
pub struct Forge {
    pub kid: String,
    pub pkcs8: Vec<u8>,
    pub token: String,
}

impl Forge {
    pub async fn new(app: &TestApp) -> Self {
        let (kid, pkcs8) = signing_keys::table
            .select((signing_keys::kid, signing_keys::pkcs8))
            .first(&mut app.connect())
            .expect("the key");
        let token = app.token().await;
        Self { kid, pkcs8, token }
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        header
    }

    pub fn claims(&self) -> Value {
        part(&self.token, 1)
    }

    pub fn sign(&self, header: &Header, claims: &Value) -> String {
        let key = EncodingKey::from_ed_der(&self.pkcs8);
        jsonwebtoken::encode(header, claims, &key).expect("a token")
    }

    /// A token of these texts, whatever they are, properly signed.
    pub fn sign_texts(&self, header: &str, claims: &str) -> String {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&self.pkcs8).expect("a key");
        let encode = |text: &[u8]| URL_SAFE_NO_PAD.encode(text);
        let signed = format!(
            "{}.{}",
            encode(header.as_bytes()),
            encode(claims.as_bytes())
        );
        let signature = pair.sign(signed.as_bytes());
        format!("{signed}.{}", encode(signature.as_ref()))
    }

    /// The same with the usual header.
    pub fn sign_claims(&self, claims: &str) -> String {
        self.sign_texts(&self.header_with("", Value::Null).to_string(), claims)
    }

    /// The usual header with one member set; null is none.
    pub fn header_with(&self, name: &str, value: Value) -> Value {
        let mut header = json!({"typ": "at+jwt", "alg": "EdDSA", "kid": self.kid});
        if !value.is_null() {
            header[name] = value;
        }
        header
    }

    /// A token with one claim changed; null takes it out.
    pub fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        let object = claims.as_object_mut().expect("claims");
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.to_owned(), value);
        }
        self.sign(&self.header(), &claims)
    }
}

/// A decoded part of a token.
pub fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).expect("three parts");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}
