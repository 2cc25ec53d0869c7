"""Asks an S3 server whether it keeps what it is given; a process of its own, so that nothing else imports Arrow.

`OPENLAKES_CATALOG` holds the catalog's properties as JSON. Exit status 0: it does.
"""

import json
import os
import sys
from urllib.parse import urlsplit

import pyarrow.fs as pafs

BUCKET = "openlakes-probe"


def main() -> int:
    """Write one object and read it back."""
    told = json.loads(os.environ["OPENLAKES_CATALOG"])
    files = pafs.S3FileSystem(
        access_key=told["s3.access-key-id"],
        secret_key=told["s3.secret-access-key"],
        region=told["s3.region"],
        scheme="http",
        endpoint_override=urlsplit(told["s3.endpoint"]).netloc,
        allow_bucket_creation=True,
    )
    try:
        files.create_dir(BUCKET)
        with files.open_output_stream(f"{BUCKET}/file") as stream:
            stream.write(b"x")
        with files.open_input_stream(f"{BUCKET}/file") as stream:
            return 0 if stream.read() == b"x" else 1
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
