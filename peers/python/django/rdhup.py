"""Django's plain view, which asks the kernel too whether the client has closed its end: served by gunicorn."""
import select
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

import witness
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="the lab")


def fast(request):
    return JsonResponse({"endpoint": "fast"})


def slow(request):
    client = select.poll()
    client.register(request.environ["gunicorn.socket"], select.POLLRDHUP)
    try:
        work = witness.Work(request.GET, request.headers)
        if work.reads:
            request.body
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
                if client.poll(0):
                    return JsonResponse({}, status=499)  # nothing reads it
    except witness.Malformed as error:
        return JsonResponse({"error": str(error)}, status=400)
    except TimeoutError:
        return JsonResponse({"error": "context deadline exceeded"}, status=504)
    return JsonResponse({"endpoint": "slow"})


urlpatterns = [path("fast", fast), path("slow", slow)]
wsgi = get_wsgi_application()
