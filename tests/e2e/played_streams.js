/* played_streams -- the other way to the bridge, played: event streams and plain requests. */

import { settle } from './scene.js';

/* What fetch() is asked for: streams that have been opened, requests that were posted. */
export class Streams {
  streams = [];
  posts = [];
  status = 200;

  fetch = async (url, { method = 'GET', body, headers, signal }) => {
    if (method === 'POST') return this.#post(url, JSON.parse(body), headers);
    if (this.status !== 200) return new Response(this.body, { status: this.status });
    const stream = { url: new URL(url), headers, isOpen: true };
    const readable = new ReadableStream({ start: (controller) => (stream.controller = controller) });
    signal.addEventListener('abort', () => {
      if (stream.isOpen) stream.controller.error(new Error('aborted'));
      stream.isOpen = false;
    });
    this.streams.push(stream);
    return new Response(readable);
  };

  #post(url, request, headers) {
    return new Promise((resolve) => this.posts.push({
      url,
      request,
      headers,
      answer: async (body, status = 200) => {
        resolve(new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }));
        await breathe();
      },
    }));
  }

  get stream() {
    return this.streams.at(-1);
  }

  async write(text) {
    this.stream.controller.enqueue(new TextEncoder().encode(text));
    await breathe();
  }

  tell(...messages) {
    return this.write(messages.map((message) => `event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`).join(''));
  }

  greet(more = {}) {
    return this.tell({ type: 'connection', status: 'connected', client_id: 'c1', user_id: 'alice', ...more });
  }

  async end() {
    this.stream.isOpen = false;
    this.stream.controller.close();
    await breathe();
  }

  last(type) {
    return this.posts.filter(({ request }) => request.type === type).at(-1);
  }
}

/* A stream of the platform takes some turns to hand on what was put into it. */
export async function breathe() {
  for (let i = 0; i < 10; i++) await settle();
}
