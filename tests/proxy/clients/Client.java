// Java's HttpClient, in the version of HTTP that the first argument names. The second is the proxy's URL.

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.stream.IntStream;

class Client {
    static final int[] SIZES = {0, 1, 1021, 16_385, 70_001};
    static final int LONG = 3_000_017;

    static byte[] pattern(int length, int begin) {
        byte[] body = new byte[length];
        for (int at = 0; at < length; at++) {
            body[at] = (byte) ((begin + at) % 251);
        }
        return body;
    }

    static void must(boolean ok, Object what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    static InputStream pieces() {
        var streams = IntStream.iterate(0, begin -> begin < LONG, begin -> begin + 10_007)
            .mapToObj(begin -> (InputStream) new ByteArrayInputStream(pattern(Math.min(10_007, LONG - begin), begin)));
        return new SequenceInputStream(Collections.enumeration(streams.toList()));
    }

    public static void main(String[] arguments) throws Exception {
        var version = arguments[0].equals("2") ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1;
        String url = arguments[1];
        HttpClient client = HttpClient.newBuilder().version(version).build();

        for (int size : SIZES) {
            var answer = client.send(get(url + "/bytes/" + size), BodyHandlers.ofByteArray());
            must(answer.statusCode() == 200, answer);
            must(Arrays.equals(answer.body(), pattern(size, 0)), size);
        }
        System.out.println("get");

        for (int size : SIZES) {
            var answer = post(client, url, BodyPublishers.ofByteArray(pattern(size, 0)));
            must(answer.body().equals(String.valueOf(size)), answer.body());
        }
        System.out.println("post");

        var up = post(client, url, BodyPublishers.ofInputStream(Client::pieces));
        must(up.body().equals(String.valueOf(LONG)), up.body());
        System.out.println("up");

        int at = 0;
        try (InputStream body = client.send(get(url + "/stream/" + LONG), BodyHandlers.ofInputStream()).body()) {
            byte[] piece;
            while ((piece = body.readNBytes(8192)).length > 0) {
                must(Arrays.equals(piece, pattern(piece.length, at)), at);
                at += piece.length;
            }
        }
        must(at == LONG, at);
        System.out.println("down");

        HttpResponse<String> answer;
        while ((answer = client.send(get(url + "/patience/java"), BodyHandlers.ofString())).statusCode() == 429) {
            Thread.sleep(Duration.ofSeconds(answer.headers().firstValueAsLong("retry-after").getAsLong()).toMillis());
        }
        must(answer.statusCode() == 200 && answer.body().equals("patient"), answer.body());
        System.out.println("retry");
    }

    static HttpRequest get(String url) {
        return HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build();
    }

    static HttpResponse<String> post(HttpClient client, String url, BodyPublisher body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url + "/count")).timeout(Duration.ofSeconds(20)).POST(body);
        return client.send(request.build(), BodyHandlers.ofString());
    }
}
