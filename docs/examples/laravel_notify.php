<?php
// Laravel: a channel for notifications. In a notification: public function via($user) { return [NotifyChannel::class]; }
// and public function toNotify($user) { return ['title' => 'Invoice paid', 'category' => 'billing', 'level' => 'success']; }
//
// Needs the PHP extension redis. The connection is that of config/database.php without a prefix ('options' => ['prefix' => '']).

namespace App\Channels;

use Illuminate\Notifications\Notification;
use Illuminate\Support\Facades\Redis;

class NotifyChannel
{
    public static function words(string $user, array $message, string $id): array
    {
        $words = ['NOTIFY.SEND', "inbox:$user", $message['title'], 'IDEMPOTENT', $id];
        foreach (array_diff_key($message, ['title' => 0]) as $name => $value) {
            array_push($words, strtoupper($name), is_array($value) ? json_encode($value) : (string) $value);
        }
        return $words;
    }

    public function send(object $user, Notification $notification): void
    {
        $message = $notification->toNotify($user);
        // $notification->id is the same when the queue tries it again.
        Redis::connection('notify')->client()->rawCommand(...self::words((string) $user->getKey(), $message, $notification->id));
    }
}
