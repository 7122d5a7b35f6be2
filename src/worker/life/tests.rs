use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use super::rest::LOOKS;
use super::*;
use crate::proxy::record::{InFlight, Places};

const TICKS: Ticks =
    Ticks { round: Duration::from_millis(500), head: 10, idle: 100, send: 50, grace: 4, rest_of_body: 12 };

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Test {
    now: Rc<Cell<Tick>>,
    life: Rc<Life>,
    wakes: Arc<Wakes>,
}

impl Test {
    fn new() -> Self {
        // Marks must stand a count that begins anew.
        let now = Rc::new(Cell::new(Tick::MAX - 3));
        let test = Self { life: Life::new(now.clone()), now, wakes: Arc::default() };
        assert_eq!(test.order(), None);
        test
    }

    fn order(&self) -> Option<Order> {
        self.life.order(&Waker::from(self.wakes.clone()))
    }

    fn read(&self, bytes: &[u8]) {
        self.life.read(bytes, &TICKS);
    }

    /// What it is told within so many looks at whether it may rest, and by which of them.
    fn told_to_rest(&self, most: u8) -> Option<u8> {
        (1..=most).find(|_| {
            self.life.look_for_rest();
            self.order() == Some(Order::Rest)
        })
    }

    /// A request without a body, answered.
    fn ask(&self) {
        drop(self.life.begin(false));
        self.life.flushed();
    }

    /// Lets rounds go by, up to one in which something is told; how many.
    fn quiet_for(&self, most: Tick) -> Tick {
        for round in 0..most {
            self.now.set(self.now.get().wrapping_add(1));
            let wakes = self.wakes.0.load(Ordering::Relaxed);
            self.life.look(&TICKS);
            if self.wakes.0.load(Ordering::Relaxed) > wakes {
                return round;
            }
        }
        most
    }
}

#[test]
fn who_sends_nothing_is_idle() {
    let test = Test::new();
    assert_eq!(test.quiet_for(1000), TICKS.idle);
    assert_eq!(test.order(), Some(Order::Leave));
    assert_eq!(test.life.reason(), Some(Reason::Idle));
    assert_eq!(test.order(), None, "it is told once");
    // hyper may not close it at once.
    assert_eq!(test.quiet_for(1000), TICKS.grace);
    assert_eq!(test.order(), Some(Order::Abort));
    assert_eq!(test.life.reason(), Some(Reason::Idle));
}

#[test]
fn a_head_has_its_time_from_its_first_byte() {
    let test = Test::new();
    assert_eq!(test.quiet_for(20), 20);
    test.read(b"\r\n");
    assert_eq!(test.quiet_for(20), 20, "an empty line is no head");
    test.read(b"G");
    assert_eq!(test.quiet_for(5), 5);
    test.read(b"ET / HTTP/1.1\r\n");
    assert_eq!(test.quiet_for(1000), TICKS.head - 5, "its later bytes win no time");
    assert!(test.life.head_is_late());
    assert_eq!((test.order(), test.life.reason()), (None, Some(Reason::Head)));
    assert_eq!(test.quiet_for(1000), TICKS.grace);
    assert_eq!((test.order(), test.life.reason()), (Some(Order::Abort), Some(Reason::Head)));
}

#[test]
fn a_handshake_has_the_time_of_a_head() {
    let test = Test::new();
    test.life.handshake_begins();
    test.read(b"");
    assert_eq!(test.quiet_for(1000), TICKS.head);
    assert_eq!((test.order(), test.life.reason()), (Some(Order::Abort), Some(Reason::Handshake)));
    let test = Test::new();
    test.life.handshake_begins();
    assert_eq!(test.quiet_for(TICKS.head), TICKS.head);
    test.life.handshake_ends();
    assert_eq!(test.quiet_for(1000), TICKS.idle);
}

#[test]
fn a_request_may_take_as_long_as_the_data_path_lets_it() {
    let test = Test::new();
    test.read(b"GET / HTTP/1.1\r\n\r\n");
    let request = test.life.begin(false);
    assert_eq!(test.quiet_for(1000), 1000);
    test.read(b"GET /next");
    assert_eq!(test.quiet_for(1000), 1000);
    drop(request);
    assert_eq!(test.quiet_for(1000), TICKS.idle, "and then it is idle");
}

#[test]
fn the_rest_of_a_body_is_no_head() {
    let test = Test::new();
    drop(test.life.begin(true));
    test.read(b"rest");
    assert_eq!(test.quiet_for(TICKS.rest_of_body + 1), TICKS.rest_of_body + 1);
    test.read(b"GET /");
    assert_eq!(test.quiet_for(1000), TICKS.head);
    let test = Test::new();
    drop(test.life.begin(false));
    test.read(b"GET /");
    assert_eq!(test.quiet_for(1000), TICKS.head);
}

#[test]
fn an_answer_waits_for_its_client_only_so_long() {
    let test = Test::new();
    let in_flight = Places::of(InFlight::new(1));
    let request = test.life.begin(false);
    assert_eq!(test.quiet_for(1000), 1000, "there is no answer yet");
    request.answered(in_flight.enter());
    request.waits();
    assert_eq!(test.quiet_for(1000), 1000, "the answer waits for the API");
    request.given();
    let piece = request.piece();
    request.waits();
    drop(request);
    assert_eq!(test.quiet_for(40), 40);
    piece.progress();
    assert!(in_flight.enter().is_none(), "the answer is not out");
    assert_eq!(test.quiet_for(1000), TICKS.send);
    assert_eq!((test.order(), test.life.reason()), (Some(Order::Abort), Some(Reason::Send)));
    piece.piece_ended();
    drop(piece);
    assert!(in_flight.enter().is_some());
}

#[test]
fn one_that_stands_still_is_seen_beside_others_that_get_on() {
    let test = Test::new();
    let still = test.life.begin(false);
    still.answered(None);
    for _ in 0..TICKS.send {
        let other = test.life.begin(false);
        other.answered(None);
        assert_eq!(test.quiet_for(1), 1);
    }
    assert_eq!(test.quiet_for(1), 0);
}

#[test]
fn a_socket_that_takes_nothing_is_given_up() {
    let test = Test::new();
    test.life.wrote(false);
    assert_eq!(test.quiet_for(30), 30);
    test.life.wrote(false);
    assert_eq!(test.quiet_for(10), 10);
    test.life.wrote(true);
    test.life.wrote(false);
    assert_eq!(test.quiet_for(1000), TICKS.send);
    assert_eq!(test.order(), Some(Order::Abort));
}

#[test]
fn http2_is_known_by_its_preface() {
    for size in [1, 5, 24] {
        let test = Test::new();
        for bytes in PREFACE.chunks(size) {
            assert!(!test.life.is_http2());
            test.read(bytes);
        }
        assert!(test.life.is_http2() && !test.life.owes_nothing());
        test.read(b"settings");
        assert_eq!(test.quiet_for(1000), TICKS.idle, "there is no telling what it is in the middle of");
    }
    let test = Test::new();
    test.read(&PREFACE[..10]);
    test.read(b"XP/2.0");
    assert_eq!(test.quiet_for(1000), TICKS.head);
}

#[test]
fn at_the_end_only_requests_are_waited_for() {
    let test = Test::new();
    let request = test.life.begin(false);
    test.life.leave(Reason::Drain);
    assert_eq!(test.order(), Some(Order::Leave));
    assert_eq!(test.quiet_for(1000), 1000);
    drop(request);
    assert_eq!(test.quiet_for(1000), TICKS.grace);
    assert_eq!((test.order(), test.life.reason()), (Some(Order::Abort), Some(Reason::Drain)));
}

#[test]
fn what_is_owed_is_written_when_nothing_is_under_way() {
    let test = Test::new();
    assert!(test.life.owes_nothing());
    let request = test.life.begin(false);
    test.life.flushed();
    assert!(!test.life.owes_nothing());
    drop(request);
    assert!(!test.life.owes_nothing(), "its last bytes may be on their way");
    test.life.flushed();
    assert!(test.life.owes_nothing());
}

#[test]
fn who_is_asked_nothing_rests_until_it_is_asked_again() {
    let test = Test::new();
    assert_eq!(test.told_to_rest(9), None, "it was asked nothing yet: there is nothing to let go of");
    for _ in 0..3 {
        test.ask();
        assert_eq!(test.told_to_rest(9), Some(LOOKS));
        assert!(test.life.may_rest());
        assert_eq!(test.told_to_rest(9), None, "it is told once");
    }
    for _ in 0..9 {
        test.ask();
        assert_eq!(test.told_to_rest(LOOKS - 1), None, "it is asked between the looks");
    }
}

#[test]
fn who_is_told_to_rest_may_be_asked_first() {
    let test = Test::new();
    test.ask();
    assert_eq!(test.told_to_rest(9), Some(LOOKS));
    let request = test.life.begin(false);
    assert!(!test.life.may_rest());
    drop(request);
    test.life.flushed();
    assert!(!test.life.may_rest(), "it is not idle for long enough");
}

#[test]
fn nobody_rests_in_the_middle_of_anything() {
    let test = Test::new();
    test.ask();
    test.read(b"GET");
    assert_eq!(test.told_to_rest(9), None, "a head");
    let test = Test::new();
    let request = test.life.begin(false);
    test.life.flushed();
    assert_eq!(test.told_to_rest(9), None, "an answer");
    drop(request);
    assert_eq!(test.told_to_rest(9), None, "its last bytes");
    test.life.flushed();
    assert_eq!(test.told_to_rest(9), Some(LOOKS));
    let test = Test::new();
    drop(test.life.begin(true));
    test.life.flushed();
    test.quiet_for(TICKS.rest_of_body + 1);
    assert_eq!(test.told_to_rest(9), None, "what may be the rest of a body, however long that takes");
    let request = test.life.begin(true);
    request.is_whole();
    drop(request);
    test.life.flushed();
    assert_eq!(test.told_to_rest(9), Some(LOOKS), "a body that has come");
    let test = Test::new();
    test.read(PREFACE);
    test.ask();
    assert_eq!(test.told_to_rest(9), None, "HTTP/2, where there is no telling");
}

#[test]
fn who_is_about_to_end_does_not_rest() {
    let test = Test::new();
    test.ask();
    test.life.leave(Reason::Drain);
    test.life.look_for_rest();
    test.life.look_for_rest();
    assert_eq!(test.order(), Some(Order::Leave), "it is not forgotten");
    assert_eq!(test.told_to_rest(9), None);
    let test = Test::new();
    test.ask();
    test.life.shuts_down();
    assert_eq!(test.told_to_rest(9), None);
}
