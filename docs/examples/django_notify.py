"""Django: a notification that is sent if the transaction is committed, and not if it is rolled back; a token for the page.

In settings.py: NOTIFY_REDIS = "redis://127.0.0.1:6379", NOTIFY_SECRET = what --jwt-secret is. In urls.py:
path("notify/token", django_notify.token_view). In the page: NotifyClient.connect(url, {token: await (await fetch('/notify/token')).text()})."""

import base64
import hashlib
import hmac
import json
import time

import redis
from django.conf import settings
from django.db import transaction
from django.http import HttpResponse

connection = redis.Redis.from_url(settings.NOTIFY_REDIS)


def notify(user_id, title, **options):
    """notify(7, "Invoice paid", category="billing", level="success")"""
    words = [word for name, value in options.items() for word in (name.upper(), value)]
    transaction.on_commit(lambda: connection.execute_command("NOTIFY.SEND", f"inbox:{user_id}", title, *words))


def token(user_id, seconds=300):
    def b64(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"sub": str(user_id), "exp": int(time.time()) + seconds}
    text = b64(b'{"alg":"HS256"}') + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(hmac.new(settings.NOTIFY_SECRET.encode(), text.encode(), hashlib.sha256).digest())


def token_view(request):
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    return HttpResponse(token(request.user.pk), content_type="text/plain")
