//! The simulated gateway over real HTTP, spoken to as any client would, without saoma's own.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response};
use saoma::model::{Dialect, WId, WcId};
use saoma::simulator::{
    Act, BadToken, Envelope, FailureShape, Fault, Outcome, PhoneScript, Picture, PollNeed, ReplyWId, Setup, SimAccount,
    Simulator, Then, TokenSeen, demo_setup,
};
use serde_json::{Value, json};

fn client() -> Client {
    // Fails when it is installed already, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

struct World {
    sim: Simulator,
    http: Client,
    dialect: Dialect,
}

impl World {
    async fn new(setup: Setup) -> Self {
        let dialect = setup.dialect;
        Self { sim: Simulator::start(setup).await.unwrap(), http: client(), dialect }
    }

    fn ask(&self, endpoint: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}/{endpoint}", self.sim.url());
        self.http.post(url).header("Authorization", self.sim.token()).json(body)
    }

    async fn call(&self, endpoint: &str, body: Value) -> Value {
        let response = self.ask(endpoint, &body).send().await.unwrap();
        assert_eq!(response.status(), 200, "{endpoint}");
        response.json().await.unwrap()
    }

    /// A call that runs by itself.
    fn start(&self, endpoint: &str, body: Value) -> tokio::task::JoinHandle<Value> {
        let request = self.ask(endpoint, &body);
        tokio::spawn(async move { request.send().await.unwrap().json().await.unwrap() })
    }

    async fn code(&self, wc_id: Option<&str>) -> (WId, String) {
        let mut body = match self.dialect {
            Dialect::V1 | Dialect::V2 => json!({"type": 2}),
            Dialect::V3 => json!({"wcId": "", "deviceType": "ipad", "proxy": 2}),
        };
        if let Some(wc_id) = wc_id {
            body["wcId"] = json!(wc_id);
        }
        let reply = self.call("iPadLogin", body).await;
        assert_eq!(reply["code"], "1000", "{reply}");
        let data = &reply["data"];
        (data["wId"].as_str().unwrap().into(), data["qrCodeUrl"].as_str().unwrap().to_owned())
    }

    fn poll(&self, w_id: &WId) -> tokio::task::JoinHandle<Value> {
        self.start("getIPadLoginInfo", self.polling(w_id))
    }

    fn polling(&self, w_id: &WId) -> Value {
        match self.dialect {
            Dialect::V1 | Dialect::V2 => json!({"wId": w_id}),
            Dialect::V3 => json!({"wId": w_id, "autoCheck": false}),
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds(self) {
            assert!(Instant::now() < deadline, "waited in vain until {what}; requests: {:#?}", self.sim.requests());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until so many calls of the endpoint are open.
    async fn open(&self, endpoint: &str, count: usize) {
        let what = format!("{count} calls of {endpoint} are open");
        let open = |w: &Self| {
            w.sim.requests().iter().filter(|r| r.endpoint == endpoint && r.outcome == Outcome::Open).count() == count
        };
        self.until(&what, open).await;
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/_control/{path}", self.sim.root());
        let response = self.http.request(method, url).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    fn online(&self, wc_id: &str) -> Option<WId> {
        self.sim.online().into_iter().find(|(wc, _)| wc.as_str() == wc_id).map(|(_, w_id)| w_id)
    }
}

fn two() -> Setup {
    Setup {
        accounts: vec![SimAccount::new("wxid_on", "在线").online(), SimAccount::new("wxid_off", "Dropped")],
        ..Setup::default()
    }
}

fn wc(wc_id: &str) -> Option<WcId> {
    Some(wc_id.into())
}

/// What is written in a picture.
fn read(bytes: &[u8]) -> String {
    let grey = image::load_from_memory(bytes).unwrap().to_luma8();
    let mut picture =
        rqrr::PreparedImage::prepare_from_greyscale(grey.width() as usize, grey.height() as usize, |x, y| {
            grey.get_pixel(x as u32, y as u32).0[0]
        });
    picture.detect_grids().first().expect("a code in the picture").decode().unwrap().1
}

#[path = "simulator/calls.rs"]
mod calls;
#[path = "simulator/edges.rs"]
mod edges;
#[path = "simulator/scenarios.rs"]
mod scenarios;
#[path = "simulator/third.rs"]
mod third;
