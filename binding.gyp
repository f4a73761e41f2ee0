{
  "targets": [
    {
      "target_name": "vine_native",
      "sources": [
        "native/addon.cc",
        "native/addon_engine.cc",
        "native/addon_notify.cc",
        "native/addon_peers.cc",
        "native/addon_priority.cc",
        "native/addon_sockets.cc",
        "native/aead.cc",
        "native/batch_io.cc",
        "native/chacha_poly.cc",
        "native/checksum.cc",
        "native/coalesce.cc",
        "native/cookie_sender.cc",
        "native/endpoint.cc",
        "native/engine.cc",
        "native/fragment.cc",
        "native/handshake_guard.cc",
        "native/lan_receiver.cc",
        "native/lan_sender.cc",
        "native/lan_socket.cc",
        "native/napi_util.cc",
        "native/packet_shape.cc",
        "native/queue_drops.cc",
        "native/segment.cc",
        "native/session_table.cc",
        "native/socket_util.cc",
        "native/stream.cc",
        "native/stream_table.cc",
        "native/tun_receiver.cc",
        "native/tun_sender.cc",
        "native/tun_socket.cc",
        "native/tunnel_receiver.cc",
        "native/tunnel_sender.cc",
        "native/udp_socket.cc"
      ],
      "cflags!": ["-O3"],
      "cflags_cc!": ["-std=gnu++17"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"]
    }
  ]
}
