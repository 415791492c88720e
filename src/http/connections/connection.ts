import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type Cancelled = {
  request: IncomingMessage;
  /** The peer's. */
  address: string;
  /** Since the request arrived. */
  milliseconds: number;
};

export type Handlers = {
  /** Runs a task when others have had their turn. */
  later(task: () => void): void;
  /** Handles a request. Called for the next one of a connection when the response has closed. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Told of a request that was not handled, because the connection has closed. */
  onCancelled(cancelled: Cancelled): void;
};

export type Connection = {
  readonly socket: Socket;
  /** The peer's. A socket that is reset no longer knows it. */
  readonly address: string;
  /** Takes a request that Node has read. */
  accept(request: IncomingMessage, response: ServerResponse): void;
  /** Whether it reads no more requests. */
  isClosing(): boolean;
  /**
   * Reads no more requests, and closes after the replies to those that it has.
   *
   * @param reply - bytes to send last, as the reply to what can't be read
   */
  close(reply?: string): void;
  /** Whether it has had a request, and the next one has not begun. */
  isIdle(): boolean;
};

type Exchange = { request: IncomingMessage; response: ServerResponse; arrived: number };

/** Requests of a connection that are not answered yet. One more closes it. */
const MAX_REQUESTS = 4;
/** Bytes that Node parses at once. It parses all that it is given, and a request can have 18 bytes. */
const SLICE = 256;
/** Milliseconds of parsing at once. Until the next reply, a connection that sends more is parsed when others have had their turn. */
const PARSE_SHARE = 0.25;
/** Milliseconds for the peer to read the last reply: closing before it has sent everything would reset the connection. */
const LINGER = 500;
/** Milliseconds for the replies of a connection whose peer has ended its side, which most have done by hanging up. */
const HALF_CLOSED_TIMEOUT = 2_000;
/** Milliseconds for the peer to read the replies of a connection that is to close. */
const CLOSE_TIMEOUT = 10_000;
/** Old clients send it after a body. */
const EMPTY_LINE = '\r\n'.length;

/** Keeps the requests of a connection in their order, and handles them one after another. */
export function createConnection(
  socket: Socket,
  address: string,
  { later, handle, onCancelled }: Handlers,
): Connection {
  const exchanges: Exchange[] = [];
  let latest: Exchange | undefined;
  let closing = false;
  let isFlooding = false;
  let isPullScheduled = false;
  let lastReply = '';
  let bytesReadAtReply = 0;

  function destroyAfter(milliseconds: number): void {
    const timer = setTimeout(() => socket.destroy(), milliseconds);
    socket.once('close', () => clearTimeout(timer));
  }

  function handleFirst(): void {
    const [first] = exchanges;
    if (!first) return;
    // Node hands the socket to the next response, unless the one before was the last.
    if (socket.destroyed || !first.response.socket) cancelAll();
    else {
      // Node ends the socket at the last response, where the peer has ended its side: this must come before.
      first.response.prependOnceListener('finish', sendLastReply);
      first.response.once('close', () => settle(first));
      handle(first.request, first.response);
    }
  }

  /** Once all that has arrived is parsed: requests that are sent together go behind those that are sent alone. */
  function begin(): void {
    if (exchanges.length > 1) later(handleFirst);
    else handleFirst();
  }

  function settle(exchange: Exchange): void {
    bytesReadAtReply = socket.bytesRead - socket.readableLength;
    // An idle connection keeps no request.
    if (latest === exchange && exchange.request.complete) latest = undefined;
    if (exchanges[0] !== exchange) return;
    exchanges.shift();
    isFlooding = false;
    // In this turn of the event loop, requests that are sent together would go before all others.
    if (exchanges.length > 0) later(handleFirst);
    else if (closing) hangUp();
    pull();
  }

  function cancelAll(): void {
    for (const { request, arrived } of exchanges.splice(0)) {
      onCancelled({ request, address, milliseconds: performance.now() - arrived });
    }
  }

  function sendLastReply(): void {
    if (!closing || exchanges.length > 1 || lastReply === '') return;
    socket.write(lastReply);
    lastReply = '';
  }

  function hangUp(): void {
    socket.end(lastReply);
    destroyAfter(LINGER);
  }

  function close(reply = ''): void {
    if (closing) return;
    closing = true;
    if (!latest || latest.request.complete) lastReply = reply;
    else if (exchanges.includes(latest) && !latest.response.headersSent) {
      // Node has read a part of this request: the reply is to it.
      exchanges.pop();
      lastReply = reply;
    }
    if (exchanges.length === 0) hangUp();
    else destroyAfter(CLOSE_TIMEOUT);
  }

  function mayParse(): boolean {
    // Node stops its parser while replies wait for the peer. What follows on a connection that is to close stays unread: the
    // parser would make a request of each 18 bytes. So its peer may be noticed to have ended its side only by a reply.
    if (closing || socket.writableNeedDrain) return false;
    const { request } = exchanges.at(-1) ?? {};
    // A chunk may have a byte, and takes hundreds until it is read.
    return !request || request.complete || request.readableLength < SLICE;
  }

  /** Hands what has arrived to Node's parser, which listens for `data`. While the rest waits, Node reads no more. */
  function pull(): void {
    const end = performance.now() + PARSE_SHARE;
    while (mayParse() && performance.now() < end) {
      const size = Math.min(socket.readableLength, SLICE);
      if (socket.read(size > 0 ? size : undefined) === null) return;
    }
    if (!mayParse()) return;
    isFlooding = true;
    pullLater();
  }

  function pullLater(): void {
    if (isPullScheduled) return;
    isPullScheduled = true;
    later(() => {
      isPullScheduled = false;
      pull();
    });
  }

  function pullInTurn(): void {
    if (isFlooding) pullLater();
    else pull();
  }

  // Node's parser takes whole reads from a socket unless somebody listens for this.
  socket.on('readable', pullInTurn);
  socket.on('resume', pullInTurn);
  socket.on('drain', pullInTurn);
  socket.once('end', () => destroyAfter(HALF_CLOSED_TIMEOUT));
  // Node stops listening for these when it hands over the socket of a CONNECT.
  socket.on('error', () => {});
  socket.once('timeout', () => socket.destroy());

  return {
    socket,
    address,
    accept(request, response) {
      if (closing) return;
      if (exchanges.length === MAX_REQUESTS) return close();
      latest = { request, response, arrived: performance.now() };
      // What is there is read in this turn.
      request.on('resume', () => process.nextTick(pullInTurn));
      exchanges.push(latest);
      if (exchanges.length === 1) process.nextTick(begin);
    },
    isClosing: () => closing,
    close,
    isIdle: () => exchanges.length === 0 && socket.bytesRead > 0 && socket.bytesRead - bytesReadAtReply <= EMPTY_LINE,
  };
}
