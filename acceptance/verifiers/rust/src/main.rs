//! Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names.
mod jwks;
mod secret;

fn main() {
    let name = std::env::args().nth(1);
    let verify = if name.as_deref() == Some("jwks") { jwks::verify } else { secret::verify };
    for token in std::io::stdin().lines().map_while(Result::ok) {
        match verify(&token) {
            Ok(user_id) => println!("good {user_id}"),
            Err(error) if error.is::<ureq::Error>() => println!("down {error}"),
            Err(error) => println!("bad {error}"),
        }
    }
}
