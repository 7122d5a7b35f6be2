//! What others ask of a manager: a newer token after a 401, the next one in band, one by hand.

use super::*;
use crate::token::cell::Refreshed;

fn first() -> Generation {
    Generation::after(None)
}

#[tokio::test(start_paused = true)]
async fn the_same_token_may_live_longer_than_it_was_to() {
    let world = World::new(&[Say::Same(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            for _ in 0..20 {
                pass(HOUR / 4).await;
                assert_eq!(cell.current().await.unwrap().generation, first());
                assert!(world.ready());
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_401_renews_the_token_once_for_everyone() {
    let world = World::new(&[Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            let rejected = cell.current().await.unwrap().generation;
            assert!(cell.newer_at_hand(rejected).is_none());
            let mut waiting: Vec<_> = (0..1000).map(|_| Box::pin(cell.newer_than(rejected))).collect();
            for request in &mut waiting {
                assert!(request.await.unwrap().generation > rejected);
            }
            assert!(cell.newer_at_hand(rejected).is_some());
        })
        .await;
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_old_token_that_is_rejected_forces_nothing() {
    let world = World::new(&[Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            let old = cell.current().await.unwrap().generation;
            let newer = cell.newer_than(old).await.unwrap();
            cell.report_rejected(old);
            pass(MINUTE).await;
            assert_eq!(cell.current().await.unwrap().generation, newer.generation);
        })
        .await;
    assert_eq!(world.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_repeats_a_rejected_token_is_not_waited_for() {
    let world = World::new(&[Say::Same(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            let rejected = cell.current().await.unwrap().generation;
            let asked_at = Instant::now();
            assert!(cell.newer_than(rejected).await.is_none());
            assert!(asked_at.elapsed() <= Duration::from_secs(2), "{:?}", asked_at.elapsed());
            pass(MINUTE).await;
        })
        .await;
    assert_eq!(world.asked(), 2, "nor asked again for nobody");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_hopeless_is_not_waited_for() {
    for hopeless in [Say::Refuse, Say::Limited(HOUR)] {
        let world = World::new(&[Say::Token(HOUR), hopeless]);
        let cell = world.cell();
        world
            .play(async {
                let rejected = cell.current().await.unwrap().generation;
                assert!(cell.newer_than(rejected).await.is_none());
                let asked_at = Instant::now();
                assert!(cell.newer_than(rejected).await.is_none());
                assert_eq!(asked_at.elapsed(), Duration::ZERO);
            })
            .await;
        assert_eq!(world.asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn forced_renewals_are_ten_a_minute() {
    let world = World::new(&[Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            for _ in 0..600 {
                if let Ok(current) = cell.current().await {
                    cell.report_rejected(current.generation);
                }
                pass(Duration::from_millis(100)).await;
            }
        })
        .await;
    assert!((10..=12).contains(&world.asked()), "{}", world.asked());
}

#[tokio::test(start_paused = true)]
async fn the_next_token_is_left_to_the_data_path_until_the_mandatory_window() {
    let world = World::with(&[Say::Token(HOUR)], Policy { refresh_ratio: 0.5, in_band: true });
    let cell = world.cell();
    world
        .play(async {
            let current = cell.current().await.unwrap();
            assert!(cell.claim_in_band(&current).is_none(), "it is early");
            pass(HOUR / 2 + MINUTE).await;
            let current = cell.current().await.unwrap();
            let claim = cell.claim_in_band(&current);
            assert!(claim.is_some());
            assert_eq!(world.asked(), 1);
            drop(claim);
            pass(HOUR / 2 - 2 * MINUTE).await;
            assert_eq!(world.asked(), 2, "nothing came in band");
            let current = cell.current().await.unwrap();
            assert!(cell.claim_in_band(&current).is_none());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_renewal_by_hand_is_answered_with_what_came_of_it() {
    let world = World::new(&[Say::Token(HOUR), Say::Token(HOUR), Say::Refuse, Say::Limited(MINUTE)]);
    world
        .play(async {
            pass(MINUTE).await;
            let renewed = world.handle.refresh().await.unwrap();
            assert_eq!(renewed, Refreshed::Renewed { generation: first().next(), lifetime: HOUR });
            let early = world.handle.refresh().await.unwrap();
            assert!(
                matches!(early, Refreshed::NotBefore(wait) if wait <= Duration::from_secs(1)),
                "{early:?}"
            );
            pass(MINUTE).await;
            assert_eq!(world.handle.refresh().await.unwrap(), Refreshed::Failed("refused".into()));
            pass(Duration::from_secs(2)).await;
            assert!(
                matches!(world.handle.refresh().await.unwrap(), Refreshed::Failed(_)),
                "a key may be mended"
            );
            pass(Duration::from_secs(2)).await;
            let limited = world.handle.refresh().await.unwrap();
            assert!(matches!(limited, Refreshed::NotBefore(wait) if wait > MINUTE / 2), "{limited:?}");
        })
        .await;
    assert_eq!(world.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn an_operator_does_not_break_the_backoff_either() {
    fastrand::seed(1);
    let world = World::new(&[Say::Down]);
    world
        .play(async {
            let left = loop {
                pass(MINUTE).await;
                let State::Unavailable(trouble) = world.handle.state() else { panic!() };
                let left = trouble.retry_at.remaining(world.clock.now());
                if left > Duration::from_secs(2) {
                    break left;
                }
            };
            assert_eq!(world.handle.refresh().await.unwrap(), Refreshed::NotBefore(left));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_changed_is_tried_at_once_but_not_against_a_rate_limit() {
    let world = World::new(&[Say::Refuse, Say::Token(HOUR)]);
    world
        .play(async {
            pass(Duration::from_secs(5)).await;
            world.handle.key_changed().await;
            pass(Duration::from_millis(10)).await;
            assert!(world.ready());
        })
        .await;

    let world = World::new(&[Say::Limited(HOUR), Say::Token(HOUR)]);
    world
        .play(async {
            pass(Duration::from_secs(5)).await;
            world.handle.key_changed().await;
            pass(MINUTE).await;
            assert!(!world.ready());
        })
        .await;
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ended_on_its_way_is_a_failure() {
    let world = World::new(&[Say::Token(Duration::ZERO)]);
    world.play(pass(10 * MINUTE)).await;
    assert!(world.asked() < 60, "{} attempts", world.asked());
    assert!(!world.ready());
}

#[tokio::test(start_paused = true)]
async fn while_another_key_is_tried_requests_wait_for_it() {
    let world = World::new(&[Say::Refuse, Say::Late(Duration::from_secs(2), HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(5)).await;
            assert!(matches!(cell.current().await, Err(Unavailable::Refused(_))));
            world.handle.key_changed().await;
            tokio::task::yield_now().await;
            let asked_at = Instant::now();
            assert_eq!(used(&cell).await, "Bearer token-1");
            assert_eq!(asked_at.elapsed(), Duration::from_secs(2));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_changes_while_the_old_one_is_refused_is_tried_for_those_who_wait() {
    let world = World::new(&[Say::Refuse, Say::RefuseLate(Duration::from_secs(2)), Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_secs(5)).await;
            world.handle.key_changed().await;
            tokio::task::yield_now().await;
            let (token, ()) = tokio::join!(used(&cell), world.handle.key_changed());
            assert_eq!(token, "Bearer token-1");
        })
        .await;
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_operator_hears_what_came_of_it_though_a_token_came_otherwise() {
    let world = World::new(&[Say::Refuse, Say::Token(HOUR)]);
    let cell = world.cell();
    world
        .play(async {
            pass(Duration::from_millis(900)).await;
            let offered = async {
                tokio::task::yield_now().await;
                cell.offer(world.issuer.grant(77, HOUR / 2));
            };
            let (refreshed, ()) = tokio::join!(world.handle.refresh(), offered);
            assert!(matches!(refreshed, Some(Refreshed::NotBefore(_))), "{refreshed:?}");
            pass(Duration::from_secs(1)).await;
            let (refreshed, ()) = tokio::join!(world.handle.refresh(), async {
                cell.offer(world.issuer.grant(78, HOUR / 2));
            });
            assert!(matches!(refreshed, Some(Refreshed::Renewed { .. })), "{refreshed:?}");
        })
        .await;
    assert_eq!(world.asked(), 2);
}
