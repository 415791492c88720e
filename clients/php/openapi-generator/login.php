<?php

declare(strict_types=1);

use OpenAPI\Client\Api\SessionsApi;
use OpenAPI\Client\Api\UsersApi;
use OpenAPI\Client\ApiException;
use OpenAPI\Client\Configuration;
use OpenAPI\Client\Model\Credentials;
use OpenAPI\Client\Model\Error;
use OpenAPI\Client\Model\InvalidCredentials;
use OpenAPI\Client\Model\Renewal;
use OpenAPI\Client\Model\UserCreation;

require 'vendor/autoload.php';

function bearer(string $token): Configuration
{
    return (new Configuration())->setAccessToken($token);
}

function run(string $email, string $password, ?string $adminToken): void
{
    $credentials = ['email' => $email, 'password' => $password];

    if ($adminToken !== null) {
        $users = new UsersApi(config: bearer($adminToken));
        echo "user {$users->createUser(new UserCreation($credentials))->getId()}\n";
    }

    $sessions = new SessionsApi();
    $session = $sessions->createSession(new Credentials($credentials));
    $refreshToken = $session->getRefreshToken();
    if ($refreshToken !== null) {
        $session = $sessions->refreshSession(new Renewal(['refresh_token' => $refreshToken]));
    }
    echo "token {$session->getAuthToken()}\n";

    $own = (new SessionsApi(config: bearer($session->getAuthToken())))->listOwnSessions();
    echo 'sessions ', count($own->getSessions()), "\n";
}

function failure(ApiException $e): string
{
    $error = $e->getResponseObject();
    $headers = array_change_key_case($e->getResponseHeaders() ?? []);
    return match (true) {
        $error instanceof InvalidCredentials => "401 {$error->getMessage()}",
        $e->getCode() === 429 => "429, try again after {$headers['retry-after'][0]} s",
        $error instanceof Error => "{$e->getCode()} {$error->getMessage()} " . implode(' ', $error->getErrors() ?? []),
        default => $e->getMessage(),
    };
}

try {
    run(getenv('EMAIL'), getenv('PASSWORD'), getenv('ADMIN_TOKEN') ?: null);
} catch (ApiException $e) {
    echo failure($e), "\n";
    exit(1);
}
