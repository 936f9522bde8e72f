"""Django's asynchronous view, under a deadline: one file, as small as a Django project gets."""
import asyncio

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import JsonResponse
from django.urls import path

import witness

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="the lab")


async def fast(request):
    return JsonResponse({"endpoint": "fast"})


async def slow(request):
    try:
        work = witness.Work(request.GET, request.headers, bodies=["read"])
        async with asyncio.timeout(work.timeout):
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
    except witness.Malformed as error:
        return JsonResponse({"error": str(error)}, status=400)
    except TimeoutError:
        return JsonResponse({"error": "context deadline exceeded"}, status=504)
    return JsonResponse({"endpoint": "slow"})


urlpatterns = [path("fast", fast), path("slow", slow)]
app = get_asgi_application()
