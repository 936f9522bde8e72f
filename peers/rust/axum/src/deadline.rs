//! One request and its deadline, as a layer around every route.

use std::time::{Duration, Instant};

use census::Census;
use contract::{Call, Identity, answer};
use ctx::Context;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_http::timeout::{DeadlineBody, Timeout};

use crate::handlers::Asked;

/// Reads what is asked for, and gives it no longer than its deadline.
pub(crate) async fn limited(
    State((census, timeout)): State<(Census, Duration)>,
    mut request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let (head, body) = request.into_parts();
    let call = match Call::read(&head, || census.make_id()).and_then(Call::inside) {
        Ok(call) => call,
        Err(refusal) => {
            let identity = Identity::read(&head.headers, || census.make_id()).ok();
            return answer::refused(identity.as_ref(), &refusal).map(Body::new).into_response();
        }
    };
    let timeout = call.budget.map_or(timeout, |budget| budget.min(timeout));
    let identity = call.identity.clone();
    // The context ends when the guard is dropped, with the answer or before it: nobody else ends it.
    let (ctx, guard) = Context::background().with_value(census.scope(call.identity)).with_cancel();
    let mut counted = census.request(&ctx, &identity);
    request = Request::from_parts(head, body);
    request.extensions_mut().insert(Asked { endpoint: call.endpoint, ctx, job: counted.job() });
    let limited = Timeout::with_status_code(next, StatusCode::GATEWAY_TIMEOUT, timeout);
    let Ok(mut response) = limited.oneshot(request).await;
    if let Ok(id) = identity.request_id.parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    counted.answered(response.status());
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    // `Timeout` ends with the head; a stream has a deadline of its own, and keeps the guards until it is out.
    let left = timeout.saturating_sub(began.elapsed());
    let guards = (guard, counted);
    response.map(|body| {
        Body::new(DeadlineBody::new(left, body).map_frame(move |frame| {
            let _ = &guards;
            frame
        }))
    })
}
