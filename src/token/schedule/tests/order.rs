//! The schedule in use, for any life, clock, outcome and order of events: a small model asks when its
//! functions say so, and holds each attempt against the documented rules.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::token::clock::{Clock, Deadline, Moment};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Event {
    /// Time passes on both clocks.
    Pass(Duration),
    /// It passes on one only.
    Suspend(Duration),
    /// So many 401s or new keys, one after another.
    Force(u8, Duration),
    /// A request waits for a token.
    Want,
}

/// What the issuer answers, and how long it takes.
#[derive(Debug, Clone, Copy)]
struct Answer {
    outcome: Outcome,
    takes: Duration,
    chance: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Token(Duration),
    Refused,
    Limited(Duration),
    Failed(Duration),
}

struct Attempt {
    at: Moment,
    ended: Moment,
    forced: bool,
    outcome: Outcome,
}

struct Model {
    clock: Clock,
    ratio: f64,
    answers: std::vec::IntoIter<Answer>,
    attempts: Vec<Attempt>,
    /// The start and the life of the token in use.
    token: Option<(Moment, Duration)>,
    failures: u32,
    due: Deadline,
    not_before: Deadline,
    forced: bool,
    eagerness: f64,
}

impl Model {
    fn new(ratio: f64, answers: Vec<Answer>) -> Self {
        let clock = Clock::scripted();
        let due = clock.now().after(Duration::ZERO);
        Self {
            clock,
            ratio,
            answers: answers.into_iter(),
            attempts: Vec::new(),
            token: None,
            failures: 0,
            due,
            not_before: due,
            forced: false,
            eagerness: 0.0,
        }
    }

    /// How long until the next attempt.
    fn wait(&self, now: Moment) -> Duration {
        let floor = self
            .attempts
            .last()
            .map_or(Duration::ZERO, |last| FLOOR_ALWAYS.saturating_sub(now.since(last.at)));
        self.due.remaining(now).max(self.not_before.remaining(now)).max(floor)
    }

    /// Lets time pass, and asks whenever it is due; `false` when the issuer's answers are used up.
    async fn pass(&mut self, mut left: Duration) -> Result<bool, TestCaseError> {
        loop {
            let now = self.clock.now();
            self.drop_what_has_ended(now);
            let end = self.token.map_or(Duration::MAX, |(start, life)| start.after(life).remaining(now));
            let wait = self.wait(now);
            if wait.is_zero() {
                if !self.ask().await? {
                    return Ok(false);
                }
            } else if wait.min(end) > left {
                tokio::time::advance(left).await;
                return Ok(true);
            } else {
                tokio::time::advance(wait.min(end)).await;
                left -= wait.min(end);
            }
        }
    }

    fn drop_what_has_ended(&mut self, now: Moment) {
        if self.token.is_some_and(|(start, life)| start.after(life).has_come(now)) {
            self.token = None;
            if self.failures == 0 {
                self.due = now.after(Duration::ZERO);
                self.forced = false;
            }
        }
    }

    async fn ask(&mut self) -> Result<bool, TestCaseError> {
        let Some(answer) = self.answers.next() else { return Ok(false) };
        self.attempt(answer).await?;
        self.judge_wait()?;
        Ok(true)
    }

    async fn attempt(&mut self, answer: Answer) -> Result<(), TestCaseError> {
        let at = self.clock.now();
        let forced = std::mem::take(&mut self.forced);
        self.judge(at, forced)?;
        tokio::time::advance(answer.takes).await;
        let now = self.clock.now();
        self.drop_what_has_ended(now);
        let outcome = match answer.outcome {
            Outcome::Token(life) if now.since(at) >= life => Outcome::Failed(Duration::ZERO),
            outcome => outcome,
        };
        self.attempts.push(Attempt { at, ended: now, forced, outcome });
        self.eagerness = answer.chance;
        self.failures += 1;
        let life = self.token.map(|(start, life)| (now.since(start), life));
        let wait = backoff(self.failures, life, answer.chance);
        let (wait, asked) = match outcome {
            Outcome::Token(life) => {
                self.token = Some((at, life));
                self.failures = 0;
                self.due = at.after(renew_after(life, self.ratio, answer.chance));
                return Ok(());
            }
            Outcome::Refused => (REFUSED, Duration::ZERO),
            Outcome::Limited(asked) => (asked + after_others(answer.chance), asked),
            Outcome::Failed(asked) => (wait.max(asked), asked),
        };
        self.due = now.after(wait);
        self.not_before = now.after(asked);
        Ok(())
    }

    fn force(&mut self) {
        let now = self.clock.now();
        let age = |attempt: &Attempt| now.since(attempt.at);
        let forced = self.attempts.iter().rev().filter(|attempt| attempt.forced);
        let wait = forced_wait(self.attempts.last().map(age), forced.map(age));
        if wait < self.due.remaining(now) {
            self.due = now.after(wait);
            self.forced = true;
        }
    }

    fn want(&mut self) {
        let now = self.clock.now();
        let Some(Attempt { ended, outcome: Outcome::Failed(_), .. }) = self.attempts.last() else { return };
        let wait = wanted_wait(now.since(*ended), self.eagerness);
        if wait < self.due.remaining(now) {
            self.due = now.after(wait);
            self.forced = false;
        }
    }

    /// Whether an attempt may begin now, by the rules and in numbers of their own.
    fn judge(&self, now: Moment, forced: bool) -> Result<(), TestCaseError> {
        let Some(last) = self.attempts.last() else { return Ok(()) };
        let (gap, rest) = (now.since(last.at), now.since(last.ended));
        prop_assert!(gap >= SECOND / 4, "{gap:?} apart");
        match last.outcome {
            Outcome::Token(life) => {
                let floor = MINUTE.min(life / 4);
                prop_assert!(forced || gap >= floor, "{gap:?} after a success, for {life:?}");
            }
            Outcome::Refused => prop_assert!(forced || rest >= MINUTE, "{rest:?} after a refusal"),
            Outcome::Limited(asked) | Outcome::Failed(asked) => {
                prop_assert!(rest >= asked, "{rest:?} of {asked:?}");
            }
        }
        if forced {
            prop_assert!(gap >= SECOND, "{gap:?} before one that is forced");
            let of_late =
                self.attempts.iter().filter(|attempt| attempt.forced && now.since(attempt.at) < MINUTE);
            prop_assert!(of_late.count() < 10, "the eleventh that is forced in a minute");
        }
        Ok(())
    }

    /// How long the next attempt may be away while a token is in use, so that one is left for it before
    /// its end: until its last tenth begins, and in there until a quarter of that is over.
    fn judge_wait(&self) -> Result<(), TestCaseError> {
        let now = self.clock.now();
        let (Some((start, life)), Some(last)) = (self.token, self.attempts.last()) else { return Ok(()) };
        let window = (5 * MINUTE).min(life / 10);
        let until = start.after(life - window).remaining(now);
        let quarter = (5 * SECOND).min(window / 4);
        let asked = self.not_before.remaining(now);
        let most = match last.outcome {
            Outcome::Token(_) => until,
            Outcome::Failed(_) => until + quarter,
            // Whoever asks to be left alone, or does not know the key, is.
            Outcome::Refused | Outcome::Limited(_) => return Ok(()),
        };
        let most = most.max(asked).max((SECOND / 4).saturating_sub(now.since(last.ended)));
        prop_assert!(self.wait(now) <= most.max(SECOND / 4), "{:?}, not {most:?}", self.wait(now));
        Ok(())
    }
}

fn live(ratio: f64, answers: Vec<Answer>, events: &[Event]) -> Result<(), TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut model = Model::new(ratio, answers);
        let mut gone_by = Duration::ZERO;
        let started = tokio::time::Instant::now();
        for event in events {
            match *event {
                Event::Pass(time) => {
                    if !model.pass(time).await? {
                        break;
                    }
                }
                Event::Suspend(time) => {
                    model.clock.suspend(time);
                    gone_by += time;
                }
                Event::Force(times, apart) => {
                    for _ in 0..times {
                        model.force();
                        if !model.pass(apart).await? {
                            return Ok(());
                        }
                    }
                }
                Event::Want => model.want(),
            }
            if let Some((start, life)) = model.token {
                // Whatever the clocks did: the token's end is the same moment on the one that ran on.
                let now = model.clock.now();
                let all = started.elapsed() + gone_by;
                let end = start.after(life);
                prop_assert_eq!(end.has_come(now), end.remaining(now).is_zero());
                prop_assert!(now.since(start) <= all);
                prop_assert_eq!(end.has_come(now), now.since(start) >= life);
            }
        }
        Ok(())
    })
}

/// From a hundredth of `unit` to ten of it, each order of magnitude as likely.
fn about(unit: f64) -> impl Strategy<Value = Duration> {
    (-2.0..1.0f64).prop_map(move |power| Duration::from_secs_f64(unit * 10f64.powf(power)))
}

/// What the issuer answers for a while.
fn answers(unit: f64) -> impl Strategy<Value = Vec<Answer>> {
    let outcome = prop_oneof![
        4 => about(unit).prop_map(Outcome::Token),
        1 => Just(Outcome::Refused),
        1 => (0..3600u64).prop_map(|seconds| Outcome::Limited(Duration::from_secs(seconds))),
        3 => Just(Outcome::Failed(Duration::ZERO)),
        1 => (0..=60u64).prop_map(|seconds| Outcome::Failed(Duration::from_secs(seconds))),
    ];
    let takes = prop_oneof![3 => Just(0), 1 => 0..10_000u64].prop_map(Duration::from_millis);
    let chances = vec(0.0..=1.0f64, 1..20);
    (outcome, takes, chances).prop_map(|(outcome, takes, chances)| {
        chances.into_iter().map(|chance| Answer { outcome, takes, chance }).collect()
    })
}

fn event(unit: f64) -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => about(unit).prop_map(Event::Pass),
        1 => about(unit).prop_map(Event::Suspend),
        3 => (1..20u8, about(1.0)).prop_map(|(times, apart)| Event::Force(times, apart)),
        2 => Just(Event::Want),
    ]
}

/// Answers and events on the scale of one life, from a second to a month.
fn lives() -> impl Strategy<Value = (Vec<Answer>, Vec<Event>)> {
    (0.0..6.4f64).prop_flat_map(|power| {
        let unit = 10f64.powf(power);
        (vec(answers(unit), 1..20).prop_map(|runs| runs.concat()), vec(event(unit), 1..40))
    })
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_a_floor_or_sleeps_through_an_end(
        ratio in 0.05..0.95f64, (answers, events) in lives(),
    ) {
        live(ratio, answers, &events)?;
    }
}
