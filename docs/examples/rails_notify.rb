# Rails with Sidekiq: NotifyJob.perform_async("7", "Invoice paid", "category" => "billing") from an after_commit callback. Sidekiq
# tries a job again, so it has an idempotency token, its own id: the notification is there once.
#
# Gems: sidekiq, redis, jwt. The page's token: Notify.token(current_user.id).

require "redis"
require "sidekiq"

module Notify
  def self.redis
    @redis ||= Redis.new(url: ENV.fetch("NOTIFY_REDIS", "redis://127.0.0.1:6379"))
  end

  def self.send(user, title, options = {})
    words = options.flat_map { |name, value| [name.to_s.upcase, value.to_s] }
    redis.call("NOTIFY.SEND", "inbox:#{user}", title, *words)
  end

  def self.token(user, seconds = 300)
    JWT.encode({ sub: user.to_s, exp: Time.now.to_i + seconds }, ENV.fetch("NOTIFY_SECRET"), "HS256")
  end
end

class NotifyJob
  include Sidekiq::Job

  def perform(user, title, options = {})
    Notify.send(user, title, options.merge("idempotent" => jid))
  end
end
