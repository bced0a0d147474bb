//! The callback sender: the test push, and offline notices in the three dialects (protocol.md §3.11). It calls
//! loopback addresses only.

use std::time::Duration;

use axum::http::Uri;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::knobs::ReasonShape;
use super::world::{Ms, Notice, World};
use crate::model::Dialect;

/// How long a receiver has to answer (protocol.md §3.11).
pub(super) const BUDGET_MS: u64 = 6_000;

/// Where a callback URL leads; none unless it is plain HTTP on this machine.
pub(super) fn target(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?;
    let local = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if uri.scheme_str() != Some("http") || !local {
        return None;
    }
    let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
    Some((format!("{host}:{}", uri.port_u16().unwrap_or(80)), path.to_owned()))
}

impl World {
    fn push(&mut self, times: u32, body: &Value) {
        if let Some(url) = self.callback.clone() {
            for _ in 0..times {
                self.outbox.push(Notice { url: url.clone(), body: body.to_string() });
            }
            self.touch();
        }
    }

    /// A reason as `offlineReason` passes it on.
    pub(super) fn wrapped(&self, words: &str) -> String {
        let xml = || {
            format!(
                "<e>\n<ShowType>8</ShowType>\n<Content><![CDATA[{words}]]></Content>\n<Url><![CDATA[]]></Url>\n\
                 <DispSec>30</DispSec>\n<Title><![CDATA[]]></Title>\n</e>\n"
            )
        };
        match self.knobs.reason_shape {
            ReasonShape::Plain => words.to_owned(),
            ReasonShape::Xml => xml(),
            ReasonShape::Json => json!({"baseResponse": {"ret": -100, "errMsg": {"string": xml()}}}).to_string(),
        }
    }

    /// The message that is pushed when a callback is set.
    pub(super) fn queue_test_push(&mut self) {
        let body = json!({"account": self.account, "wcId": "", "messageType": "00000",
                          "data": {"content": "验证回调地址是否可用"}});
        self.push(1, &body);
    }

    /// Queues offline notices. Without a wId: the live one, else the last one.
    pub(super) fn queue_notice(&mut self, now: Ms, at: usize, w_id: Option<&str>, times: u32) {
        let Some(member) = self.member(at) else { return };
        let last = || member.history.iter().rev().find_map(|(_, w_id)| w_id.clone());
        let w_id = w_id.map(str::to_owned).or_else(last).unwrap_or_default();
        let wc_id = &member.spec.wc_id;
        let body = match self.dialect {
            Dialect::V1 => json!({"message": {"data": w_id, "messageType": 3}, "wcId": wc_id}),
            Dialect::V2 => json!({"account": self.account, "data": {"wId": w_id}, "messageType": 4, "wcId": wc_id}),
            Dialect::V3 => json!({"account": self.account, "wcId": wc_id, "messageType": "30000",
                                  "data": {"wId": w_id, "reason": member.reason}}),
        };
        let wc_id = wc_id.clone();
        if self.callback.is_some() {
            self.push(times, &body);
            self.tell(now, "notice", json!({"wc_id": wc_id, "w_id": w_id, "times": times}));
        }
    }
}

/// Posts one notice. Gives whether the receiver answered with HTTP 2xx in time.
pub(super) async fn post(notice: &Notice, budget: Duration) -> bool {
    let Some((address, path)) = target(&notice.url) else { return false };
    let send = async {
        let mut stream = TcpStream::connect(&address).await?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json;charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            notice.body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(notice.body.as_bytes()).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok::<bool, std::io::Error>(answer.starts_with(b"HTTP/1.") && answer.get(9) == Some(&b'2'))
    };
    matches!(tokio::time::timeout(budget, send).await, Ok(Ok(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_called() {
        assert_eq!(target("http://127.0.0.1:9/a?b=c"), Some(("127.0.0.1:9".into(), "/a?b=c".into())));
        assert_eq!(target("http://localhost"), Some(("localhost:80".into(), "/".into())));
        assert_eq!(target("http://[::1]:8/x"), Some(("[::1]:8".into(), "/x".into())));
        for bad in ["http://203.0.113.7/", "https://127.0.0.1/", "127.0.0.1:9", "http://localhost.example/", ""] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
