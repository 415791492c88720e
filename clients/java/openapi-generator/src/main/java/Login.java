import org.openapitools.client.*;
import org.openapitools.client.api.SessionsApi;
import org.openapitools.client.model.Credentials;
import org.openapitools.client.model.Error;

class Login {
  public static void main(String[] args) throws Exception {
    var credentials = new Credentials().email(System.getenv("EMAIL")).password(System.getenv("PASSWORD"));
    try {
      System.out.println(new SessionsApi().createSession(credentials, null).getAuthToken());
    } catch (ApiException e) {
      if (e.getResponseBody() == null) throw e; // no reply came
      var error = ApiClient.createDefaultObjectMapper().readValue(e.getResponseBody(), Error.class);
      System.out.print(e.getCode() + " " + error.getMessage());
      error.getErrors().forEach(field -> System.out.print(": " + field.getField() + " " + field.getMessage()));
      System.out.println();
      System.exit(1);
    }
  }
}
