import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.proc.BadJOSEException;
import java.text.ParseException;
import java.util.Scanner;

/** Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names. */
class Main {
  private interface Verifier {
    long verify(String token) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Verifier verifier = args[0].equals("jwks") ? new JwksVerifier()::verify : new SecretVerifier()::verify;
    for (var tokens = new Scanner(System.in); tokens.hasNextLine(); ) {
      try {
        System.out.println("good " + verifier.verify(tokens.nextLine()));
      } catch (KeySourceException e) {
        System.out.println("down " + e.getMessage());
      } catch (BadJOSEException | JOSEException | ParseException e) {
        System.out.println("bad " + e.getMessage());
      }
    }
  }
}
