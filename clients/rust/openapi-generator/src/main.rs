use client::apis::{Error, configuration::Configuration, sessions_api, users_api};
use client::models::{self, Credentials, Renewal, UserCreation};
use std::env;

fn main() {
    if let Err(message) = run() {
        println!("{message}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    let email = env::var("EMAIL").map_err(|e| e.to_string())?;
    let password = env::var("PASSWORD").map_err(|e| e.to_string())?;
    let mut api = Configuration::new();

    if let Ok(admin_token) = env::var("ADMIN_TOKEN") {
        api.bearer_access_token = Some(admin_token);
        let mut user = UserCreation::new(email.clone());
        user.password = Some(password.clone());
        let user = users_api::create_user(&api, user, None).map_err(failure)?;
        println!("user {}", user.id);
    }

    let credentials = Credentials::new(email, password);
    let mut session = sessions_api::create_session(&api, credentials, None).map_err(failure)?;
    if let Some(refresh_token) = session.refresh_token {
        let renewal = Renewal::new(refresh_token);
        session = sessions_api::refresh_session(&api, renewal, None).map_err(failure)?;
    }
    println!("token {}", session.auth_token);

    api.bearer_access_token = Some(session.auth_token);
    let own = sessions_api::list_own_sessions(&api, None).map_err(failure)?;
    println!("sessions {}", own.sessions.len());
    Ok(())
}

/// The status and what the reply says.
fn failure<T>(error: Error<T>) -> String {
    let Error::ResponseError(reply) = error else {
        return error.to_string();
    };
    match (
        reply.status.as_u16(),
        serde_json::from_str::<models::Error>(&reply.content),
    ) {
        (401, Ok(error)) => format!("401 {}", error.message),
        (429, _) => "429, try again later".to_string(),
        (status, Ok(error)) => format!("{status} {} {:?}", error.message, error.errors),
        (status, Err(_)) => format!("{status} {}", reply.content),
    }
}
