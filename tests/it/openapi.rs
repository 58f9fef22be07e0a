//! The OpenAPI document.

use crate::support::stage::Stage;

async fn it_is_served(stage: Stage) {
    let app = stage.app().await;
    let served = app.get("/openapi.json").await.ok(200);
    assert_eq!(served["openapi"], "3.1.0");
}

crate::facts![it_is_served];
