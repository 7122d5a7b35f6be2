//! Answers that are none yet (RFC 9110, section 15.2): whether or not they are passed on, they never stand for
//! the answer.

use super::{CROSSINGS, world};
use crate::support::came_to_its_end;

#[tokio::test]
async fn none_stands_for_the_answer() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        for before in [&[103][..], &[100], &[102, 103, 103], &[100, 103, 199]] {
            let mut asked = world.caller.ask("GET", "/x", &[]).await;
            let mut call = world.api.call().await;
            for status in before {
                call.interim(*status, &[("link", "</a>; rel=preload"), ("x-early", "1")]).await;
            }
            call.head(200, &[("content-length", "6")]).await;
            call.send(b"answer").await;
            call.end(&[]).await;
            let (passed, head) = asked.last_head().await;
            assert_eq!(head.status, 200);
            // Those that pass do so in their order. Nobody asked for a go-ahead.
            assert!(passed.iter().all(|status| before.contains(status) && *status != 100), "{passed:?}");
            assert!(!head.headers.contains_key("x-early"), "{head:?}");
            assert_eq!(asked.rest().await.0, b"answer");
            world.caller.again(asked);
        }
        came_to_its_end(&world.daemon).await;
    }
}

/// The answer's own head comes much later than the hints: the request is under way all the time.
#[tokio::test]
async fn the_request_goes_on_behind_one() {
    for crossing in CROSSINGS {
        let mut world = world(crossing, &[]).await;
        let mut asked = world.caller.begin("POST", "/x", &[]).await;
        asked.send(b"first,").await;
        let mut call = world.api.call().await;
        assert_eq!(call.bytes(6).await, b"first,");
        call.interim(103, &[("link", "</a>")]).await;
        asked.send(b"second").await;
        assert_eq!(call.bytes(6).await, b"second");
        call.interim(103, &[("link", "</b>")]).await;
        asked.end(&[]).await;
        assert!(call.rest().await.0.is_empty());
        call.answer(201, "made").await;
        assert_eq!(asked.answer().await, (201, "made".to_owned()));
    }
}
