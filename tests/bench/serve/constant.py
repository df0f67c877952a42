"""`python -m tests.bench.serve.constant PORT`: FastAPI on the same server as ours, answering a constant."""

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Path, Query, Response

BODY = b'{"customer_id":"customer-0000001","metrics":{' + b'"total_revenue":"1234.56",' * 50 + b'"orders":1}}'
app = FastAPI()


@app.get("/v1/customers/{customer_id}/metrics")
async def metrics(customer_id: Annotated[str, Path()], as_of: Annotated[str | None, Query()] = None) -> Response:
    """A body of about an answer's size, made once."""
    return Response(BODY, media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_config=None, access_log=False)
