import org.openapitools.client.*;
import org.openapitools.client.api.*;
import org.openapitools.client.model.*;
import org.openapitools.client.model.Error;

class Login {
  public static void main(String[] args) throws Exception {
    try {
      run(System.getenv("EMAIL"), System.getenv("PASSWORD"), System.getenv("ADMIN_TOKEN"));
    } catch (ApiException e) {
      if (e.getResponseBody() == null) throw e; // no reply came
      var error = ApiClient.createDefaultObjectMapper().readValue(e.getResponseBody(), Error.class);
      var retryAfter = e.getResponseHeaders().firstValue("Retry-After").orElse("some");
      System.out.println(switch (e.getCode()) {
        case 401 -> "401 " + error.getMessage();
        case 429 -> "429, try again after " + retryAfter + " s";
        default -> e.getCode() + " " + error.getMessage() + " " + error.getErrors();
      });
      System.exit(1);
    }
  }

  static void run(String email, String password, String adminToken) throws ApiException {
    if (adminToken != null) {
      var user = new UserCreation().email(email).password(password);
      System.out.println("user " + new UsersApi(client(adminToken)).createUser(user, null).getId());
    }

    var sessions = new SessionsApi();
    var session = sessions.createSession(new Credentials().email(email).password(password), null);
    if (session.getRefreshToken() != null) {
      session = sessions.refreshSession(new Renewal().refreshToken(session.getRefreshToken()), null);
    }
    System.out.println("token " + session.getAuthToken());

    var own = new SessionsApi(client(session.getAuthToken())).listOwnSessions(null);
    System.out.println("sessions " + own.getSessions().size());
  }

  static ApiClient client(String token) {
    var client = new ApiClient();
    client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
    return client;
  }
}
