// Connect to WebSocket
const socket = new WebSocket('ws://your-friday-service-url/ws');

// Listen for messages
socket.onmessage = (event) => {
  const message = JSON.parse(event.data);
  console.log('Received:', message);

  // Handle different message types
  if (message.type === 'test_run_status') {
    updateTestRunUI(message.run_id, message.status);
  }
};

// Subscribe to topics
socket.onopen = () => {
  socket.send(JSON.stringify({
    type: 'subscribe',
    topic: 'system_status'
  }));
};
