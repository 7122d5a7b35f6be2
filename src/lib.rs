//! A local proxy that holds a LiquidCommerce API key and puts a fresh access token on every request.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod lifecycle;
pub mod listener;
pub mod proxy;
pub mod sandbox;
pub mod secret;
pub mod telemetry;
pub mod tls;
pub mod token;
pub mod worker;
