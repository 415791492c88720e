import kotlin.system.exitProcess
import org.openapitools.client.apis.SessionsApi
import org.openapitools.client.apis.UsersApi
import org.openapitools.client.infrastructure.ClientError
import org.openapitools.client.infrastructure.ClientException
import org.openapitools.client.infrastructure.Serializer
import org.openapitools.client.models.Credentials
import org.openapitools.client.models.Error
import org.openapitools.client.models.Renewal
import org.openapitools.client.models.UserCreation

fun main() {
    try {
        val env = System.getenv()
        run(env.getValue("EMAIL"), env.getValue("PASSWORD"), env["ADMIN_TOKEN"])
    } catch (e: ClientException) {
        println(failure(e))
        exitProcess(1)
    }
}

fun run(email: String, password: String, adminToken: String?) {
    if (adminToken != null) {
        val users = UsersApi().apply { accessTokenProvider = { adminToken } }
        println("user ${users.createUser(UserCreation(email, password)).id}")
    }

    val sessions = SessionsApi()
    var session = sessions.createSession(Credentials(email, password))
    session.refreshToken?.let { session = sessions.refreshSession(Renewal(it)) }
    println("token ${session.authToken}")

    val own = SessionsApi().apply { accessTokenProvider = { session.authToken } }.listOwnSessions()
    println("sessions ${own.sessions.size}")
}

fun failure(e: ClientException): String {
    val reply = e.response as? ClientError<*> ?: throw e
    val error = Serializer.moshi.adapter(Error::class.java).fromJson(reply.body.toString()) ?: throw e
    return when (reply.statusCode) {
        401 -> "401 ${error.message}"
        429 -> "429, try again after ${reply.headers["retry-after"]?.single()} s"
        else -> "${reply.statusCode} ${error.message} ${error.errors}"
    }
}
