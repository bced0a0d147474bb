use crate::property::cases;
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

fn envelope(text: &str) -> Envelope {
    Envelope::decode(text.as_bytes(), None).unwrap_or_else(|fault| panic!("{text}: {fault:?}"))
}

fn poll(text: &str) -> Result<PollReply, Fault> {
    Envelope::decode(text.as_bytes(), None)?.poll(&WId::from("polled"), false)
}

/// A poll's reply as one line, for tables.
fn told(text: &str) -> String {
    match poll(text) {
        Ok(PollReply::LoggedIn(record)) => format!("logged in {} {}", record.wc_id, record.w_id),
        Ok(PollReply::NotDone { status }) => format!("not done {status:?}"),
        Ok(PollReply::Expired { gateway_message }) => format!("expired {gateway_message}"),
        Ok(PollReply::VerifyCode { given, gateway_message }) => {
            format!("verify {:?} {gateway_message}", given.as_ref().map(ExposeSecret::expose_secret))
        }
        Ok(PollReply::DeviceVerification { url }) => format!("device {url}"),
        Err(fault) => format!("{:?} {}", fault.kind, fault.message.as_deref().unwrap_or("-")),
    }
}

#[test]
fn the_documents_samples_of_i_pad_login() {
    let issued = envelope(
        r#"{
    "message": "登录成功",
    "code": "1000",
    "data": {
        "wId": "0000016e-63ef-3a9c-0001-ed3311628ef4",
        "qrCodeUrl": "http://127.0.0.1:18081/1573634652963-500000.png"
    }
}"#,
    )
    .qr_issued()
    .unwrap();
    assert_eq!(issued.w_id.as_str(), "0000016e-63ef-3a9c-0001-ed3311628ef4");
    assert_eq!(issued.image_url.expose_secret(), "http://127.0.0.1:18081/1573634652963-500000.png");
    assert!(!format!("{issued:?}").contains("1573634652963"));

    let fault = envelope(r#"{"message": "用户名或密码错误", "code": "1001", "data": null}"#).qr_issued().unwrap_err();
    assert_eq!((fault.kind, fault.message.as_deref()), (Kind::Refused, Some("用户名或密码错误")));
}

#[test]
fn the_documents_samples_of_second_login() {
    let record = envelope(
        r#"{"message": "成功", "code": "1000", "data": {
        "wcId": "wxid_ylxtflcg0p8b22", "wAccount": "hirsi520", "country": "CN",
        "wId": "c7fcd475-3c86-4061-ba95-aaae52bf9620", "city": "Nanjing", "signature": "微控客服对接",
        "nickName": "售前客服-小诺 (工作日9:00-18:00)", "sex": 2,
        "headUrl": "http://wx.qlogo.cn/mmhead/ver_1/0", "smallHeadImgUrl": "http://wx.qlogo.cn/mmhead/ver_1/132",
        "status": 3 } }"#,
    )
    .second_login()
    .unwrap();
    assert_eq!(
        record,
        Record {
            wc_id: "wxid_ylxtflcg0p8b22".into(),
            w_id: "c7fcd475-3c86-4061-ba95-aaae52bf9620".into(),
            nick_name: "售前客服-小诺 (工作日9:00-18:00)".into(),
            w_account: "hirsi520".into(),
            sex: Some(2),
            avatar_url: "http://wx.qlogo.cn/mmhead/ver_1/0".into(),
        }
    );

    let fault =
        envelope(r#"{ "message": "系统失败,请重试", "code": "1001", "data": null }"#).second_login().unwrap_err();
    assert_eq!((fault.kind, fault.message.as_deref()), (Kind::Refused, Some("系统失败,请重试")));

    let nested = r#"{ "message": "成功", "code": "1000",
        "data": { "message": "二次登录失败，请重新扫码登录", "code": "1001", "data": null } }"#;
    let fault = envelope(nested).second_login().unwrap_err();
    assert_eq!((fault.kind, fault.message.as_deref()), (Kind::RefusedInside, Some("二次登录失败，请重新扫码登录")));
}

#[test]
fn a_second_login_without_both_ids_is_none() {
    for data in
        [json!(null), json!({}), json!({"wcId": "wxid_a"}), json!({"wId": "w"}), json!({"wcId": "wxid_a", "wId": " "})]
    {
        let text = json!({"code": "1000", "message": "成功", "data": data}).to_string();
        assert_eq!(envelope(&text).second_login().unwrap_err().kind, Kind::Malformed, "{text}");
    }
}

#[test]
fn a_failure_inside_shows_by_its_code_however_written() {
    for code in
        [json!("1001"), json!(1001), json!("10001"), json!(10001), json!(" 1001 "), json!(1001.0), json!("x"), json!(0)]
    {
        let text =
            json!({"code": 1000, "data": {"code": code, "msg": "不行", "wcId": "wxid_a", "wId": "w"}}).to_string();
        let fault = envelope(&text).second_login().unwrap_err();
        assert_eq!((fault.kind, fault.message.as_deref()), (Kind::RefusedInside, Some("不行")), "{text}");
    }
    // An inner 1000, an empty one or a blob named `data` speak against nothing.
    for inner in [
        json!({"code": "1000"}),
        json!({"code": null}),
        json!({"code": ""}),
        json!({"data": "kQABsl8TPQ=="}),
        json!({}),
    ] {
        let mut data = json!({"wcId": "wxid_a", "wId": "w"});
        data.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
        let text = json!({"code": "1000", "data": data}).to_string();
        assert_eq!(envelope(&text).second_login().unwrap().w_id.as_str(), "w", "{text}");
    }
    let text = r#"{"code":"1000","data":{"code":1000,"message":"成功","data":{"wcId":"wxid_a","wId":"w"}}}"#;
    assert_eq!(envelope(text).second_login().unwrap().wc_id.as_str(), "wxid_a");
}

#[test]
fn a_poll_is_read_as_the_design_says() {
    for (text, expected) in [
        // Success: the wId of the reply, else the polled one.
        (
            r#"{"code":"1000","message":"成功","data":{"wcId":"wxid_a","wId":"w2","status":3,"data":"a2V5"}}"#,
            "logged in wxid_a w2",
        ),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","status":3}}"#, "logged in wxid_a polled"),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","wId":null,"status":"3"}}"#, "logged in wxid_a polled"),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","wId":""}}"#, "logged in wxid_a polled"),
        (r#"{"code":1000,"data":{"wcId":12345678901234567,"wId":7}}"#, "logged in 12345678901234567 7"),
        (r#"{"code":1000.0,"data":{"wcId":"a","wId":"b","status":"reserved"}}"#, "logged in a b"),
        (
            r#"{"code":" 1000 ","data":{"wcId":"a","wId":"b","verifyCode":"9","uin":1,"mobilePhone":"1"}}"#,
            "logged in a b",
        ),
        // Not done.
        (r#"{"code":"1000","data":{"wcId":"wxid_a","wId":"w2","status":2}}"#, "not done Some(2)"),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","wId":"w2","status":"1"}}"#, "not done Some(1)"),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","status":0.0}}"#, "not done Some(0)"),
        (r#"{"code":"1000","data":{"wId":"w2","status":3}}"#, "not done Some(3)"),
        (r#"{"code":"1000","data":{"wcId":"","status":1}}"#, "not done Some(1)"),
        (r#"{"code":"1000","data":{"wcId":"null"}}"#, "not done None"),
        (r#"{"code":"1000","data":null}"#, "not done None"),
        (r#"{"code":"1000"}"#, "not done None"),
        (r#"{"code":"1000","data":[]}"#, "not done None"),
        (r#"{"code":"1000","data":"wxid_a"}"#, "not done None"),
        (r#"{"code":"200","message":"处理成功","data":null}"#, "not done None"),
        // Expired: these words, whatever stands around them, in either layer; not other words.
        (r#"{"code":"1001","message":"二维码已过期","data":null}"#, "expired 二维码已过期"),
        (r#"{"code":10001,"msg":" 二维码已过期！ "}"#, "expired 二维码已过期！"),
        (r#"{"code":"1000","data":{"code":"1001","message":"二维码已过期"}}"#, "expired 二维码已过期"),
        (r#"{"code":"1001","message":"二维码已过期，请联系客服"}"#, "Refused 二维码已过期，请联系客服"),
        // A verification code is wanted: by the words, or by the key.
        (
            r#"{"code":"1001","message":"请在ipad上输入验证码","verifyCode":"123456"}"#,
            r#"verify Some("123456") 请在ipad上输入验证码"#,
        ),
        (r#"{"code":"1001","message":"请在iPad上输入验证码","data":null}"#, "verify None 请在iPad上输入验证码"),
        (r#"{"code":"1000","message":"请在ipad上输入验证码","data":null}"#, "verify None 请在ipad上输入验证码"),
        (r#"{"code":"1001","message":"失败","data":{"verifyCode":998877}}"#, r#"verify Some("998877") 失败"#),
        (r#"{"code":"1001","message":"失败","verifyCode":null}"#, "Refused 失败"),
        (r#"{"code":"1001","message":"失败","verifyCode":""}"#, "Refused 失败"),
        // Device verification.
        (r#"{"code":"200","message":"处理成功","data":{"url":"https://v.example/x"}}"#, "device https://v.example/x"),
        (r#"{"code":200,"data":{"url":"https://v.example/x"}}"#, "device https://v.example/x"),
        // Failures.
        (r#"{"code":"1001","message":"失败","data":null}"#, "Refused 失败"),
        (r#"{"code":"1001"}"#, "Refused -"),
        (r#"{"code":"E7","message":null,"msg":"不行"}"#, "Malformed 不行"),
        (r#"{"code":"1001","message":"登录失败"}"#, "Refused 登录失败"),
        (r#"{"code":"1001","message":"Token 已失效"}"#, "TokenSuspect Token 已失效"),
        (r#"{"code":"10001","message":"未授权"}"#, "TokenSuspect 未授权"),
        (r#"{"code":1001,"msg":"bad AUTHORIZATION"}"#, "TokenSuspect bad AUTHORIZATION"),
        (r#"{"code":"1000","data":{"code":"1001","message":"token 无效"}}"#, "RefusedInside token 无效"),
        // No answer at all.
        ("", "Malformed -"),
        ("  \n", "Malformed -"),
        ("<html><body>502</body></html>", "Malformed -"),
        (r#"{"code":"1000","data":{"wcId":"wxid_a","#, "Malformed -"),
        (r#"{"message":"嗯","data":{"wcId":"wxid_a","wId":"w"}}"#, "Malformed 嗯"),
        (r#"{"code":null,"data":{"wcId":"wxid_a","wId":"w"}}"#, "Malformed -"),
        (r#"{"code":["1000"],"data":{"wcId":"wxid_a","wId":"w"}}"#, "Malformed -"),
        (r#"[{"code":"1000"}]"#, "Malformed -"),
        ("1000", "Malformed -"),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn a_web_servers_status_in_an_envelope_is_no_word_of_the_gateways() {
    for (text, expected) in [
        (r#"{"code":500,"message":"Internal Server Error"}"#, "Http(500) Internal Server Error"),
        (r#"{"code":"404","msg":"Not Found","data":null}"#, "Http(404) Not Found"),
        (r#"{"code":401,"message":"Unauthorized"}"#, "Http(401) Unauthorized"),
        (r#"{"code":"1000","data":{"code":"503","message":"busy"}}"#, "Http(503) busy"),
        (r#"{"code":"600","message":"x"}"#, "Malformed x"),
        (r#"{"code":"1001","message":"二维码失效"}"#, "Refused 二维码失效"),
        (r#"{"code":"299"}"#, "Malformed -"),
    ] {
        assert_eq!(told(text), expected, "{text}");
    }
}

#[test]
fn a_code_that_nobody_knows_answers_no_poll_but_maybe_what_was_typed() {
    for (text, bare, typed) in [
        (r#"{"code":true,"message":"ok"}"#, Kind::Malformed, Kind::Refused),
        (r#"{"code":"1002","message":"验证码错误"}"#, Kind::Malformed, Kind::Refused),
        (r#"{"code":-1}"#, Kind::Malformed, Kind::Malformed),
        (r#"{"code":"1000","data":{"code":"7","message":"错误"}}"#, Kind::Malformed, Kind::RefusedInside),
        (r#"{"code":"1001","message":"失败"}"#, Kind::Refused, Kind::Refused),
        (r#"{"code":502,"message":"Bad Gateway"}"#, Kind::Http(502), Kind::Http(502)),
    ] {
        let kind = |with_code| envelope(text).poll(&WId::from("polled"), with_code).unwrap_err().kind;
        assert_eq!((kind(false), kind(true)), (bare, typed), "{text}");
    }
    // It refuses no second login either, and says of nobody that he is off line.
    for (text, expected) in [
        (r#"{"code":0,"message":"ok"}"#, Kind::Malformed),
        (r#"{"code":"200","data":{"url":"https://v.example/x"}}"#, Kind::Malformed),
        (r#"{"code":503,"message":"busy"}"#, Kind::Http(503)),
        (r#"{"code":"10001","message":"失败"}"#, Kind::Refused),
        (r#"{"code":"1000","data":{"code":"7"}}"#, Kind::RefusedInside),
    ] {
        assert_eq!(envelope(text).second_login().unwrap_err().kind, expected, "{text}");
        assert_eq!(envelope(text).is_online().unwrap_err().kind, expected, "{text}");
    }
}

#[test]
fn a_broken_name_loses_no_login() {
    for name in ["abc\\ud83d", "\\udc00", "a\u{1}\n\tb", "\\x", "a\\u12", "a\\"] {
        let text =
            format!(r#"{{"code":"1000","data":{{"wcId":" wxid_a ","wId":"w2\n","nickName":"{name}","uin":1e999,}}}}"#);
        assert_eq!(told(&text), "logged in wxid_a w2", "{text}");
        let record = envelope(&text).second_login().unwrap();
        assert_eq!((record.wc_id.as_str(), record.w_id.as_str()), ("wxid_a", "w2"));
        assert!(!record.nick_name.is_empty());
    }
    // An id that lost a character on the way names nobody.
    assert_eq!(told(r#"{"code":"1000","data":{"wcId":"wxid_\ud83d","wId":"w2"}}"#), "not done None");
    assert_eq!(told(r#"{"code":"1000","data":{"wcId":"wxid_a","wId":"w\ud83d"}}"#), "logged in wxid_a polled");
}

#[test]
fn characters_come_as_they_come() {
    let text = r#"{"code":"1000","data":{"wcId":"wxid_a","wId":"w","nickName":"扫码 👩‍💻"}}"#;
    let nick = |bytes: &[u8], content_type: Option<&str>| match Envelope::decode(bytes, content_type)
        .unwrap()
        .poll(&"p".into(), false)
    {
        Ok(PollReply::LoggedIn(record)) => record.nick_name,
        other => panic!("{other:?}"),
    };
    for label in
        [None, Some("text/html"), Some("text/html;charset=ISO-8859-1"), Some("application/json; charset=\"utf-8\"")]
    {
        assert_eq!(&*nick(text.as_bytes(), label), "扫码 👩‍💻", "{label:?}");
    }
    assert_eq!(&*nick(format!("\u{feff}{text}\0\n").as_bytes(), None), "扫码 👩‍💻");

    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(&*nick(&utf16, None), "扫码 👩‍💻");

    let (gbk, ..) = encoding_rs::GB18030.encode(text);
    for label in [None, Some("application/json"), Some("text/html; Charset=GBK"), Some("text/json;charset=gb18030")] {
        assert_eq!(&*nick(&gbk, label), "扫码 👩‍💻", "{label:?}");
    }
    let (big5, ..) = encoding_rs::BIG5.encode(r#"{"code":"1000","data":{"wcId":"a","wId":"w","nickName":"掃碼"}}"#);
    assert_eq!(&*nick(&big5, Some("text/plain;charset=big5")), "掃碼");
}

#[test]
fn sign_in_needs_a_token_and_a_usable_account() {
    let sample = r#"{"message":"成功","code":"1000","data":{"callbackUrl":null,"status":0,"Authorization":"eyJ.dummy.sig",
        "name":"n","account":"13800000000","availableNumber":5,"wcIds":null,"createTime":1563600000000}}"#;
    let signed_in = envelope(sample).sign_in().unwrap();
    assert_eq!(signed_in.token.expose_secret(), "eyJ.dummy.sig");
    assert_eq!((signed_in.callback_url.as_deref(), signed_in.available_number), (None, Some(5)));
    assert!(!format!("{signed_in:?}").contains("dummy"));

    for (data, kind) in [
        (json!({"status": 1, "Authorization": "t"}), Kind::Platform(Reason::PlatformFrozen)),
        (json!({"status": "1"}), Kind::Platform(Reason::PlatformFrozen)),
        (json!({"status": "2", "Authorization": "t"}), Kind::Platform(Reason::PlatformExpired)),
        (json!({"status": 0}), Kind::Malformed),
        (json!({"status": 0, "Authorization": "  "}), Kind::Malformed),
        (json!({"status": 0, "Authorization": "a\nb"}), Kind::Malformed),
        (json!(null), Kind::Malformed),
    ] {
        let text = json!({"code": "1000", "data": data}).to_string();
        assert_eq!(envelope(&text).sign_in().unwrap_err().kind, kind, "{text}");
    }
    assert_eq!(envelope(r#"{"code":"1001","message":"账号未授权"}"#).sign_in().unwrap_err().kind, Kind::Refused);
    assert!(envelope(r#"{"code":"1000","data":{"Authorization":"t","callbackUrl":"http://h/cb"}}"#).sign_in().is_ok());
}

#[test]
fn the_wid_of_an_issued_code_matters_most() {
    let issued = envelope(r#"{"code":"1000","data":{"wId":"w"}}"#).qr_issued().unwrap();
    assert_eq!((issued.w_id.as_str(), issued.image_url.expose_secret()), ("w", ""));
    for data in [
        json!(null),
        json!({"qrCodeUrl": "http://h/q.png"}),
        json!({"wId": null}),
        json!({"wId": ""}),
        json!({"wId": {}}),
        json!({"wId": "a\u{1b}b"}),
    ] {
        let text = json!({"code": "1000", "message": "登录成功", "data": data}).to_string();
        assert_eq!(envelope(&text).qr_issued().unwrap_err().kind, Kind::Malformed, "{text}");
    }
}

#[test]
fn ids_may_be_numbers_as_long_as_no_digit_is_lost() {
    for (value, expected) in [
        (json!("x"), Some("x")),
        (json!(9_223_372_036_854_775_808_u64), Some("9223372036854775808")),
        (json!(-5), Some("-5")),
        (json!(5.0), Some("5")),
        (json!(5.5), None),
        (serde_json::from_str("123456789012345678901234567890").unwrap(), None),
        (json!(true), None),
        (json!("x".repeat(ID_BYTES + 1)), None),
        (json!(" \u{feff}wxid_a\n\t\0"), Some("wxid_a")),
        (json!("wxid_\u{fffd}"), None),
        (json!("wxid\u{7}a"), None),
    ] {
        assert_eq!(id(Some(&value)).as_deref(), expected, "{value}");
    }
}

#[test]
fn the_fleet_list() {
    let list = |data: &str| {
        envelope(&format!(r#"{{"code":"1000","message":"成功"{data}}}"#))
            .online()
            .map(|online| {
                let entry = |(wc_id, w_id): &(WcId, Option<WId>)| match w_id {
                    Some(w_id) => format!("{wc_id}={w_id}"),
                    None => format!("{wc_id}"),
                };
                let skipped = if online.unread > 0 { format!(" skipped {}", online.unread) } else { String::new() };
                online.entries.iter().map(entry).collect::<Vec<_>>().join(" ") + &skipped
            })
            .map_err(|fault| fault.kind)
    };
    assert_eq!(list(r#","data":[{"wcId":"a","wId":"1"},{"wId":2,"wcId":"b","more":[]}]"#).as_deref(), Ok("a=1 b=2"));
    assert_eq!(list(r#","data":[]"#).as_deref(), Ok(""));
    assert_eq!(list(r#","data":null"#).as_deref(), Ok(""));
    // An instance that nobody has scanned yet.
    assert_eq!(list(r#","data":[{"wcId":null,"wId":"1"},{"wcId":"b","wId":"2"}]"#).as_deref(), Ok("b=2"));
    for data in ["", r#","data":{}"#, r#","data":"a""#, r#","data":["a",null]"#, r#","data":NaN"#] {
        assert_eq!(list(data), Err(Kind::Malformed), "{data}");
    }
    // One bad entry is skipped; who is online is online, though nobody can say as which instance.
    for (bad, read) in [
        ("null", "a=1 c=3 skipped 1"),
        ("7", "a=1 c=3 skipped 1"),
        (r#""b""#, "a=1 c=3 skipped 1"),
        (r#"["b","2"]"#, "a=1 c=3 skipped 1"),
        (r#"{"wcId":{},"wId":"2"}"#, "a=1 c=3 skipped 1"),
        (r#"{"wcId":"b\ud83d","wId":"2"}"#, "a=1 c=3 skipped 1"),
        (r#"{"wcId":1e999,"wId":"2"}"#, "a=1 c=3 skipped 1"),
        (r#"{"wcId":"b\u0007","wId":"2"}"#, "a=1 c=3 skipped 1"),
        ("{}", "a=1 c=3"),
        (r#"{"wcId":" ","wId":"2"}"#, "a=1 c=3"),
        (r#"{"wcId":"b"}"#, "a=1 b c=3"),
        (r#"{"wcId":"b","wId":NaN}"#, "a=1 b c=3"),
        (r#"{"wcId":"b","wId":"\udc00"}"#, "a=1 b c=3"),
        (r#"{"wcId":"b","wId":"2","nickName":"x\"}"#, "a=1 b=2 c=3"),
        (r#"{"wcId":"b","nickName":"x\","sex":1,"wId":"2"}"#, "a=1 b=2 c=3"),
        ("{\"wcId\":\" b\\n\",\"wId\":\"\t2 \"}", "a=1 b=2 c=3"),
    ] {
        let data = format!(r#","data":[{{"wcId":"a","wId":"1"}},{bad},{{"wcId":"c","wId":"3"}}]"#);
        assert_eq!(list(&data).as_deref(), Ok(read), "{bad}");
    }
    assert_eq!(envelope(r#"{"code":"1001","message":"失败"}"#).online().unwrap_err().kind, Kind::Refused);
}

#[test]
fn the_list_of_v1() {
    let list = |data: &str| {
        envelope(&format!(r#"{{"code":"1000"{data}}}"#))
            .online_wc_ids()
            .map(|online| {
                let names = online.entries.iter().map(|(wc_id, w_id)| {
                    assert_eq!(*w_id, None);
                    wc_id.to_string()
                });
                (names.collect::<Vec<_>>().join(" "), online.unread)
            })
            .map_err(|fault| fault.kind)
    };
    let read = |data: &str| list(data).unwrap();
    assert_eq!(read(r#","data":["wxid_a",7,null,{"wcId":"wxid_b"}]"#), ("wxid_a 7 wxid_b".into(), 0));
    assert_eq!(read(r#","data":[" wxid_a ",[],"b\ud83d",true,"c"]"#), ("wxid_a c".into(), 3));
    assert_eq!((read(r#","data":[]"#), read(r#","data":null"#)), ((String::new(), 0), (String::new(), 0)));
    assert_eq!(read(r#","data":[""]"#), (String::new(), 0));
    for data in ["", r#","data":"wxid_a""#, r#","data":[[],[]]"#] {
        assert_eq!(list(data), Err(Kind::Malformed), "{data}");
    }
}

#[test]
fn whether_one_account_is_online() {
    for (data, expected) in [
        (json!({"isOnline": true}), Ok(true)),
        (json!({"isOnline": "False"}), Ok(false)),
        (json!({"isOnline": 1}), Ok(true)),
        (json!({"isOnline": "0"}), Ok(false)),
        (json!(false), Ok(false)),
        (json!(null), Err(Kind::Malformed)),
        (json!({"isOnline": null}), Err(Kind::Malformed)),
        (json!({}), Err(Kind::Malformed)),
    ] {
        let text = json!({"code": "1000", "data": data}).to_string();
        assert_eq!(envelope(&text).is_online().map_err(|fault| fault.kind), expected, "{text}");
    }
}

#[test]
fn words_are_kept_whole_but_not_without_end() {
    let long = "话".repeat(5000);
    let text = json!({"code": "1001", "message": long}).to_string();
    let kept = envelope(&text).done().unwrap_err().message.unwrap();
    assert!(kept.len() <= MESSAGE_BYTES && kept.len() > MESSAGE_BYTES - 3 && long.starts_with(&*kept));
    assert_eq!(Envelope::words(br#"{"error":"Unauthorized","message":"bad"}"#, None).as_deref(), Some("bad"));
    assert_eq!(Envelope::words(b"<html>", None), None);
}

/// JSON made of the words that the API uses, so that a case comes close to a real reply.
fn reply() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "1000",
            "1001",
            "200",
            "wxid_a",
            "",
            " ",
            "null",
            "3",
            "2",
            "二维码已过期",
            "http://h/"
        ])
        .prop_map(Value::from),
        prop::sample::select(vec![1000, 1001, 200, 0, 1, 2, 3]).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "code",
        "data",
        "message",
        "msg",
        "wcId",
        "wId",
        "status",
        "verifyCode",
        "url",
        "qrCodeUrl",
        "Authorization",
        "x",
    ]);
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

/// Reads a reply in every way there is and checks what may never be wrong.
fn read_every_way(bytes: &[u8], content_type: Option<&str>) -> Result<(), TestCaseError> {
    let Ok(envelope) = Envelope::decode(bytes, content_type) else { return Ok(()) };
    if let Ok(PollReply::LoggedIn(record)) = envelope.poll(&"polled".into(), false) {
        prop_assert_eq!(&envelope.code, &Code::Success);
        prop_assert!(!record.wc_id.as_str().trim().is_empty() && !record.w_id.as_str().trim().is_empty());
        let told = |data: &Value| data.get("wcId").is_some_and(|id| !id.is_null());
        prop_assert!(told(&envelope.data) || envelope.data.get("data").is_some_and(told));
    }
    if let Ok(record) = envelope.second_login() {
        prop_assert_eq!(&envelope.code, &Code::Success);
        prop_assert!(!record.wc_id.as_str().trim().is_empty() && !record.w_id.as_str().trim().is_empty());
    }
    if let Ok(issued) = envelope.qr_issued() {
        prop_assert!(!issued.w_id.as_str().trim().is_empty());
    }
    if let Ok(list) = envelope.online() {
        let is_named = |w_id: &Option<WId>| w_id.as_ref().is_none_or(|w_id| !w_id.as_str().is_empty());
        prop_assert!(list.entries.iter().all(|(wc_id, w_id)| !wc_id.as_str().is_empty() && is_named(w_id)));
    }
    drop((envelope.sign_in(), envelope.online_wc_ids(), envelope.is_online(), envelope.done()));
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600), label in "\\PC{0,20}") {
        read_every_way(&bytes, Some(&label))?;
    }

    #[test]
    fn any_json_is_survived_and_no_login_comes_from_nothing(reply in reply()) {
        read_every_way(reply.to_string().as_bytes(), None)?;
    }

    #[test]
    fn any_data_under_a_1000_is_survived(data in reply(), message in ".{0,20}") {
        let reply = json!({"code": "1000", "message": message, "data": data});
        read_every_way(reply.to_string().as_bytes(), None)?;
    }

    #[test]
    fn a_reply_cut_anywhere_is_malformed(cut in 1usize..100) {
        let text = r#"{"code":"1000","message":"成功","data":{"wcId":"wxid_a","wId":"c7fcd475","nickName":"售前客服-小诺","status":3}}"#;
        let cut = cut % (text.len() - 1);
        prop_assert_eq!(Envelope::decode(&text.as_bytes()[..cut], None).unwrap_err().kind, Kind::Malformed);
    }
}
