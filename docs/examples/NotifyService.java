// Spring Boot with spring-boot-starter-data-redis: inject it, and notifications.send("7", "Invoice paid", Map.of("LEVEL", "success")).
package com.example.notify;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.springframework.data.redis.core.RedisCallback;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.stereotype.Service;

@Service
public class NotifyService {
    private final StringRedisTemplate redis;

    public NotifyService(StringRedisTemplate redis) {
        this.redis = redis;
    }

    /** The id of the notification. From a method with @Transactional call it by TransactionSynchronization.afterCommit. */
    public String send(String user, String title, Map<String, String> options) {
        List<String> words = new ArrayList<>(List.of("inbox:" + user, title));
        options.forEach((name, value) -> words.addAll(List.of(name, value)));
        byte[][] arguments = words.stream().map(word -> word.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
        Object id = redis.execute((RedisCallback<Object>) connection -> connection.execute("NOTIFY.SEND", arguments));
        return new String((byte[]) id, StandardCharsets.UTF_8);
    }
}
