use client::apis::{Error, configuration::Configuration, sessions_api, users_api};
use client::models::{self, Credentials, Renewal, UserCreation};
use http::{Extensions, StatusCode};
use reqwest_middleware::reqwest::{Client, Request, Response};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use std::{env, io};

/// Turns a 429 into an error that has its Retry-After: those of the client have no headers.
struct RetryAfter;

#[async_trait::async_trait]
impl Middleware for RetryAfter {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let reply = next.run(request, extensions).await?;
        match reply.headers().get("retry-after") {
            Some(wait) if reply.status() == StatusCode::TOO_MANY_REQUESTS => {
                let wait = wait.to_str().unwrap_or("some");
                let message = format!("429, try again after {wait} s");
                Err(reqwest_middleware::Error::middleware(io::Error::other(
                    message,
                )))
            }
            _ => Ok(reply),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(message) = run().await {
        println!("{message}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), String> {
    let email = env::var("EMAIL").map_err(|e| e.to_string())?;
    let password = env::var("PASSWORD").map_err(|e| e.to_string())?;
    let mut api = Configuration::new();
    api.client = ClientBuilder::new(Client::new()).with(RetryAfter).build();

    if let Ok(admin_token) = env::var("ADMIN_TOKEN") {
        api.bearer_access_token = Some(admin_token);
        let mut user = UserCreation::new(email.clone());
        user.password = Some(password.clone());
        let user = users_api::create_user(&api, user, None)
            .await
            .map_err(failure)?;
        println!("user {}", user.id);
    }

    let credentials = Credentials::new(email, password);
    let mut session = sessions_api::create_session(&api, credentials, None)
        .await
        .map_err(failure)?;
    if let Some(refresh_token) = session.refresh_token {
        let renewal = Renewal::new(refresh_token);
        session = sessions_api::refresh_session(&api, renewal, None)
            .await
            .map_err(failure)?;
    }
    println!("token {}", session.auth_token);

    api.bearer_access_token = Some(session.auth_token);
    let own = sessions_api::list_own_sessions(&api, None)
        .await
        .map_err(failure)?;
    println!("sessions {}", own.sessions.len());
    Ok(())
}

/// The status and what the reply says.
fn failure<T>(error: Error<T>) -> String {
    let reply = match error {
        Error::ResponseError(reply) => reply,
        Error::ReqwestMiddleware(error) => return error.to_string(),
        error => return error.to_string(),
    };
    match (
        reply.status.as_u16(),
        serde_json::from_str::<models::Error>(&reply.content),
    ) {
        (401, Ok(error)) => format!("401 {}", error.message),
        (status, Ok(error)) => format!("{status} {} {:?}", error.message, error.errors),
        (status, Err(_)) => format!("{status} {}", reply.content),
    }
}
