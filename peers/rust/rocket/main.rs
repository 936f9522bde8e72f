//! Rocket as its guide writes a route, under tokio's timeout; the port comes from ROCKET_PORT.
use rocket::data::{Data, ToByteUnit};
use rocket::http::Status;
use rocket::tokio::time;

mod asked;
use asked::Asked;

type Answer = Result<&'static str, (Status, String)>;

#[rocket::launch]
fn rocket() -> _ {
    rocket::build().mount("/", rocket::routes![fast, get, post])
}

#[rocket::get("/fast")]
fn fast() -> &'static str {
    "fast\n"
}

#[rocket::get("/slow")]
async fn get(asked: Asked) -> Answer {
    slow(asked, async {}).await
}

#[rocket::post("/slow", data = "<body>")]
async fn post(asked: Asked, body: Data<'_>) -> Answer {
    slow(asked, async { _ = body.open(1.mebibytes()).into_bytes().await }).await
}

async fn slow(asked: Asked, body: impl Future<Output = ()>) -> Answer {
    let work = asked.0.map_err(|error| (Status::BadRequest, error))?;
    match time::timeout(work.timeout, asked::run(work, body)).await {
        Ok(()) => Ok("slow\n"),
        Err(_) => Err((Status::GatewayTimeout, "too late\n".to_owned())),
    }
}
