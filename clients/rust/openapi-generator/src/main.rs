use client::apis::{Error::ResponseError, configuration::Configuration, sessions_api};
use client::models::{Credentials, Error};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let credentials = Credentials::new(std::env::var("EMAIL")?, std::env::var("PASSWORD")?);
    match sessions_api::create_session(&Configuration::new(), credentials, None) {
        Ok(session) => println!("{}", session.auth_token),
        Err(ResponseError(response)) => {
            let error: Error = serde_json::from_str(&response.content)?;
            print!("{} {}", response.status.as_u16(), error.message);
            for e in error.errors.into_iter().flatten() {
                print!(": {} {}", e.field, e.message);
            }
            println!();
            std::process::exit(1);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
