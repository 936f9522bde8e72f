"""Django's plain view, which looks at the clock between two units of its work: served by WSGI and by ASGI."""
import time

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

import witness

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="the lab")


def fast(request):
    return JsonResponse({"endpoint": "fast"})


def slow(request):
    try:
        work = witness.Work(request.GET, request.headers, bodies=["read"])
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
    except witness.Malformed as error:
        return JsonResponse({"error": str(error)}, status=400)
    except TimeoutError:
        return JsonResponse({"error": "context deadline exceeded"}, status=504)
    return JsonResponse({"endpoint": "slow"})


urlpatterns = [path("fast", fast), path("slow", slow)]
asgi, wsgi = get_asgi_application(), get_wsgi_application()
