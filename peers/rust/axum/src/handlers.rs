//! The endpoints: what they are asked for and what they answer.

use std::error::Error;
use std::time::Instant;

use census::{Job, Scope};
use contract::{Answer, BodyUse, Endpoint, Identity, Refusal, answer, limits};
use ctx::Context;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;

use crate::work;

/// A handler's input: the call, the context it runs under, and leave to do work for it.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) endpoint: Endpoint,
    pub(crate) ctx: Context,
    pub(crate) job: Job,
}

impl Asked {
    fn identity(&self) -> &Identity {
        self.ctx.value::<Scope>().expect("every request's context carries its identity")
    }
}

pub(crate) async fn fast(Extension(asked): Extension<Asked>) -> Response {
    reply(answer::fast(asked.identity()))
}

pub(crate) async fn slow(Extension(asked): Extension<Asked>, body: Body) -> Response {
    let Endpoint::Slow(params) = &asked.endpoint else { unreachable!("the route is /slow") };
    let unread = match params.body {
        BodyUse::Read => match read(body).await {
            Ok(_) => None,
            Err(refusal) => return reply(answer::refused(Some(asked.identity()), &refusal)),
        },
        BodyUse::Ignore => Some(body),
        BodyUse::Drop => None,
    };
    let began = Instant::now();
    work::run(&asked.ctx, asked.job.clone(), params).await;
    drop(unread);
    reply(answer::slow(asked.identity(), began.elapsed()))
}

pub(crate) async fn values(Extension(asked): Extension<Asked>) -> Response {
    let inside = asked.clone();
    let task = tokio::spawn(async move { inside.identity().clone() });
    let found = task.await.expect("reading a value does not panic");
    reply(answer::values(asked.identity(), Some(&found)))
}

pub(crate) async fn upload(Extension(asked): Extension<Asked>, body: Body) -> Response {
    match read(body).await {
        Ok(body) => reply(answer::upload(asked.identity(), body.len())),
        Err(refusal) => reply(answer::refused(Some(asked.identity()), &refusal)),
    }
}

pub(crate) async fn stream(Extension(asked): Extension<Asked>) -> Response {
    let Endpoint::Stream(params) = &asked.endpoint else { unreachable!("the route is /stream") };
    let body = Body::from_stream(work::chunks(asked.job.clone().start(), params));
    answer::stream(asked.identity()).body(body).expect("its head is well formed")
}

pub(crate) async fn panic(Extension(asked): Extension<Asked>) -> Response {
    let request_id = asked.identity().request_id.clone();
    let _work = asked.job.start();
    panic!("asked to panic by request {request_id}")
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, limits::BODY).await.map_err(|error| {
        let too_large = error.source().is_some_and(|source| source.is::<LengthLimitError>());
        if too_large { Refusal::BodyTooLarge } else { Refusal::Malformed("malformed or incomplete body") }
    })
}

fn reply(answer: Answer) -> Response {
    answer.map(Body::from).into_response()
}
