//! The upstream behind an intermediary, and the requests that go through to it.

use rustix::process::Signal;
use serde::Deserialize;
use wire::Request;

use crate::upstream::Upstream;

/// The form of an intermediary's requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A GET, or a POST of any bytes, which go through as they are.
    #[default]
    Plain,
    /// A POST of a chat completion, as a gateway for models takes it.
    Chat,
}

/// The upstream of a server that is an intermediary.
#[derive(Debug)]
pub struct Behind {
    /// The lab's upstream.
    pub upstream: Upstream,
    /// The form of its requests.
    pub form: Form,
    /// The signal on which the intermediary drains.
    pub stop: Signal,
}

impl Behind {
    /// A request that goes through to the upstream: `path` is what its route adds (`/`, `/brief/`), `stream` asks a gateway
    /// for models for an event stream.
    pub fn request(&self, path: &str, id: &str, stream: bool) -> Request {
        match self.form {
            Form::Plain => Request::get(format!("{path}{id}")).id(id),
            Form::Chat => self.post(path, id, "", stream, usize::MAX),
        }
    }

    /// A POST of `body`, of which only the first `part` bytes are sent. A gateway for models gets a chat completion instead,
    /// and half of it for a part.
    pub fn post(&self, path: &str, id: &str, body: &str, stream: bool, part: usize) -> Request {
        match self.form {
            Form::Plain => {
                let sent = &body.as_bytes()[..part.min(body.len())];
                Request::post_part(format!("{path}{id}"), body.len(), sent).id(id)
            }
            Form::Chat => {
                let body = chat(id, stream);
                let sent = &body.as_bytes()[..if part < usize::MAX { body.len() / 2 } else { body.len() }];
                let request = Request::post_part("/v1/chat/completions", body.len(), sent).id(id);
                let request = request.header("Content-Type", "application/json");
                request.header("Authorization", "Bearer sk-lab")
            }
        }
    }
}

/// The body of a request to a gateway for models.
fn chat(id: &str, stream: bool) -> String {
    format!(
        "{{\"model\":\"lab\",\"stream\":{stream},\"user\":\"{id}\",\
         \"messages\":[{{\"role\":\"user\",\"content\":\"{id}\"}}]}}"
    )
}
