//! The page and its parts, as they are served.

use crate::http::Reply;

const PAGE: &str = include_str!("../page/play.html");
const STYLE: &str = include_str!("../page/play.css");
const SCRIPT: &str = include_str!("../page/play.js");

/// The place of the token in the page.
const TOKEN: &str = "{token}";

/// The file at this path; `None` when there is none.
pub(crate) fn file(path: &str, token: &str) -> Option<Reply> {
    let (kind, body) = match path {
        "/" => ("text/html; charset=utf-8", PAGE.replace(TOKEN, token)),
        "/play.css" => ("text/css; charset=utf-8", STYLE.to_owned()),
        "/play.js" => ("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        _ => return None,
    };
    Some(Reply { status: 200, kind, body })
}
