//! A request guard, which is Rocket's way to hand a route what it needs of the head, and the work.
use rocket::request::{FromRequest, Outcome, Request};

#[path = "../witness.rs"]
mod witness;

pub struct Asked(pub Result<witness::Work, String>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Asked {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let query = request.uri().query().map_or("", |query| query.as_str());
        Outcome::Success(Self(witness::Work::new(query, |name| request.headers().get_one(name))))
    }
}

pub async fn run(mut work: witness::Work, body: impl Future<Output = ()>) {
    if work.reads {
        body.await;
    }
    while work.more() {
        rocket::tokio::time::sleep(work.pause()).await;
    }
}
