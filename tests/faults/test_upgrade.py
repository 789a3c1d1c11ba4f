"""A request to change to another protocol is ignored: it is answered as HTTP/1.1, with its whole body."""

import json
import shutil
import socket
import subprocess

import httpx
import pytest

BODY = json.dumps({"texts": ["The soup was cold.", "fine"]}).encode()
LINES = b'{"text": "fine"}\n{"text": "cold"}\n'
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQ\r\n"


def request(path, body, *, media_type=b"application/json", chunked=False, upgrade=UPGRADE):
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n" + upgrade + b"Content-Type: " + media_type + b"\r\n"
    if chunked:
        middle = len(body) // 2
        pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:middle], body[middle:], b""))
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + pieces
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def read_answer(stream):
    """Status and body of one response, by its own framing."""
    status = int(stream.readline().split()[1])
    headers = {}
    while line := stream.readline().strip():
        name, _, value = line.partition(b": ")
        headers[name.lower()] = value
    if headers.get(b"transfer-encoding") != b"chunked":
        return status, stream.read(int(headers[b"content-length"]))
    body = b""
    while size := int(stream.readline(), 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return status, body


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("step", [None, 1, 7], ids=["at once", "byte by byte", "in sevens"])
def test_the_body_is_read_however_it_arrives(server, chunked, step):
    plain = httpx.post(f"{server.url}/v1/predict", content=BODY, headers={"content-type": "application/json"}).content
    raw = request(b"/v1/predict", BODY, chunked=chunked)
    with socket.create_connection(server.address, timeout=10) as connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):  # the connection stays open, and the next request may ask again
            for start in range(0, len(raw), step or len(raw)):
                connection.sendall(raw[start : start + (step or len(raw))])
            assert read_answer(stream) == (200, plain)


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_a_stream_is_answered_line_by_line(server, chunked):
    with socket.create_connection(server.address, timeout=10) as connection, connection.makefile("rb") as stream:
        connection.sendall(request(b"/v1/bulk", LINES, media_type=b"application/x-ndjson", chunked=chunked))
        status, body = read_answer(stream)
    assert status == 200
    assert [json.loads(line)["index"] for line in body.splitlines()] == [0, 1]


def test_a_request_without_a_body_and_one_for_web_sockets_are_answered_too(server):
    websocket = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: YQ==\r\nSec-WebSocket-Version: 13\r\n"
    for upgrade in (UPGRADE, websocket):
        with socket.create_connection(server.address, timeout=10) as connection, connection.makefile("rb") as stream:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n")
            assert read_answer(stream) == (200, b"\n")


def test_a_tunnel_is_refused(server):
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")


JAVA = """
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.io.ByteArrayInputStream;

public class Client {
    public static void main(String[] arguments) throws Exception {
        byte[] body = arguments[1].getBytes("UTF-8");
        HttpClient client = HttpClient.newHttpClient();  // asks for HTTP/2 by default
        for (var publisher : new HttpRequest.BodyPublisher[] {
                BodyPublishers.ofByteArray(body), BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))}) {
            var request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Content-Type", "application/json");
            var answer = client.send(request.POST(publisher).build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
"""


def test_javas_client_is_answered(server, tmp_path):
    java = shutil.which("java")
    if java is None:
        pytest.skip("there is no java to run its client with; on Debian: apt-get install default-jdk-headless")
    (tmp_path / "Client.java").write_text(JAVA)
    command = [java, str(tmp_path / "Client.java"), f"{server.url}/v1/predict", BODY.decode()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - our own
    if "jdk.compiler" in done.stderr:
        pytest.skip("this java cannot compile; on Debian: apt-get install default-jdk-headless")
    expected = httpx.post(f"{server.url}/v1/predict", content=BODY, headers={"content-type": "application/json"}).text
    assert done.stdout.splitlines() == [f"200 {expected}"] * 2, done.stderr
