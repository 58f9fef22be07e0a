//! What every request meets: ids, problems, methods, conditions, CORS, codings, limits.

use reqwest::Method;

use crate::support::stage::Stage;

async fn an_unknown_path_is_a_problem(stage: Stage) {
    let app = stage.app().await;
    app.get("/v1/nothing").await.problem(404, "not_found");
    app.request(Method::PUT, "/v1/articles")
        .send()
        .await
        .problem(405, "method_not_allowed");
}

crate::facts![an_unknown_path_is_a_problem];
