"""The application of contract C, as somebody writes it who has read the older system's document (003) and nothing else: it
connects with its credentials, gets notifications by the categories of its roles, joins a category, and asks for history.
The document names the two requests, and no event of the server: whatever else comes is an answer or a notification."""

from stock import Failed, Socket


class Refused(Exception):
    """The stock client's connect_error."""


class Panel:
    def __init__(self, driver, url, mode, token=None, **opening):
        if token is not None:
            opening["auth"] = {"token": token, **opening.get("auth", {})}
        self.socket = Socket(driver, url, mode, **opening)

    def connect(self):
        self.socket.open(wait=False)
        self.socket.driver.until(lambda: self.is_let_in() or self.is_refused(), "an answer to CONNECT")
        if self.is_refused():
            raise Refused(self.socket.args_of("connect_error")[0])
        (self.greeting,) = self.socket.wait("connected")
        self.user_id = self.greeting["user_id"]
        self.roles, self.categories = set(self.greeting["roles"]), set(self.greeting["categories"])
        return self

    def is_let_in(self):
        return self.socket.args_of("connect")

    def is_refused(self):
        return self.socket.args_of("connect_error")

    def close(self):
        self.socket.forget()

    def request(self, event, *args):
        """With an ack: what it says."""
        (answer,) = self.socket.call(event, *args)
        return answer

    def subscribe_category(self, category):
        return self.request("subscribe_category", {"category": category})

    def history(self, **filters):
        return self.request("request_notification_history", filters)["items"]

    def wait_for(self, title):
        return self.socket.wait("notification", title=title)[0]

    def titles(self):
        return [args[0]["title"] for args in self.socket.args_of("notification")]


__all__ = ["Failed", "Panel", "Refused"]
