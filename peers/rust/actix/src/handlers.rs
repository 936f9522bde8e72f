//! The endpoints, and the way between actix's types and those of the `http` crate.

use std::pin::Pin;
use std::task::{Context as Task, Poll};
use std::time::Instant;

use census::{Job, Scope};
use contract::{Answer, BodyUse, Endpoint, Identity, Refusal, answer, limits};
use ctx::{Cancel, Context};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::RequestHead;
use actix_web::http::{StatusCode, Version};
use actix_web::web::{Bytes, Payload, ReqData};

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

/// A body that keeps the guards of its request until it is out.
pub(crate) struct Guards {
    pub(crate) body: BoxBody,
    pub(crate) _guards: (Cancel, census::Request),
}

impl MessageBody for Guards {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(task)
    }
}

pub(crate) async fn fast(asked: ReqData<Asked>) -> HttpResponse {
    reply(answer::fast(asked.identity()))
}

pub(crate) async fn slow(asked: ReqData<Asked>, body: Payload) -> HttpResponse {
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

pub(crate) async fn values(asked: ReqData<Asked>) -> HttpResponse {
    let inside = asked.clone();
    let task = actix_web::rt::spawn(async move { inside.identity().clone() });
    let found = task.await.expect("reading a value does not panic");
    reply(answer::values(asked.identity(), Some(&found)))
}

pub(crate) async fn upload(asked: ReqData<Asked>, body: Payload) -> HttpResponse {
    match read(body).await {
        Ok(body) => reply(answer::upload(asked.identity(), body.len())),
        Err(refusal) => reply(answer::refused(Some(asked.identity()), &refusal)),
    }
}

pub(crate) async fn stream(asked: ReqData<Asked>) -> HttpResponse {
    let Endpoint::Stream(params) = &asked.endpoint else { unreachable!("the route is /stream") };
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header(("x-request-id", asked.identity().request_id.as_str()))
        .streaming(work::chunks(asked.job.clone().start(), params))
}

pub(crate) async fn panic(asked: ReqData<Asked>) -> HttpResponse {
    let _work = asked.job.clone().start();
    panic!("asked to panic by request {}", asked.identity().request_id)
}

async fn read(body: Payload) -> Result<Bytes, Refusal> {
    match body.to_bytes_limited(limits::BODY).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Refusal::Malformed("malformed or incomplete body")),
        Err(_) => Err(Refusal::BodyTooLarge),
    }
}

/// The head of a request in the types of the `http` crate, of whose version 1 actix has none.
pub(crate) fn head(head: &RequestHead) -> http::request::Parts {
    let version =
        if head.version == Version::HTTP_10 { http::Version::HTTP_10 } else { http::Version::HTTP_11 };
    let request = http::Request::builder().method(head.method.as_str()).uri(head.uri.to_string());
    let mut request = request.version(version);
    for (name, value) in &head.headers {
        request = request.header(name.as_str(), value.as_bytes());
    }
    request.body(()).expect("what one version parsed is well formed in the other").into_parts().0
}

/// An answer in actix's types.
pub(crate) fn reply(answer: Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status is a status");
    let mut response = HttpResponse::build(status);
    for (name, value) in answer.headers() {
        if name == http::header::CONNECTION {
            response.force_close();
        }
        response.insert_header((name.as_str(), value.as_bytes()));
    }
    response.body(answer.into_body())
}
