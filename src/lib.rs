//! A local proxy that holds a LiquidCommerce API key and puts a fresh access token on every request.

pub mod config;
pub mod sandbox;
pub mod secret;
