"""The platform's dashboard, as somebody writes it who has read the documents of the older system (000 and 001) and nothing else:
it connects at /socket.io without a token, subscribes to sessions, and shows what it is told. It uses no acks: the documents know
none."""

from stock import Socket

# The events that the documents name, and what they say is in them.
LIFECYCLE = ("session_started", "session_progress", "session_completed", "session_failed", "session_cancelled")


class Dashboard:
    def __init__(self, driver, url, mode, **opening):
        self.socket = Socket(driver, url, mode, **opening)

    def connect(self):
        self.socket.open()
        (self.greeting,) = self.socket.wait("connected")
        self.client_id = self.greeting["client_id"]
        return self

    def close(self):
        self.socket.forget()

    # -- what it asks for

    def subscribe(self, session_id):
        self.socket.emit("subscribe_session", {"session_id": session_id})
        return self.socket.wait("subscribed", session_id=session_id)[0]

    def unsubscribe(self, session_id):
        self.socket.emit("unsubscribe_session", {"session_id": session_id})
        return self.socket.wait("unsubscribed", session_id=session_id)[0]

    def ping(self):
        self.socket.emit("ping")
        return self.socket.wait("pong")[0]

    # -- what it is told

    def wait(self, event, **members):
        (payload,) = self.socket.wait(event, **members)
        return payload

    def told(self, *events):
        """(event, payload) of these events, or all that the documents name for others than itself, in order."""
        wanted = events or (*LIFECYCLE, "notification", "alert", "system_status")
        return [(event, args[0]) for event, args in self.socket.heard if event in wanted]


def texts_in(value):
    """All texts in a payload: the documents say that an error has one, not where."""
    if isinstance(value, str):
        return [value] if value else []
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in values for text in texts_in(one)]
