{
  "targets": [
    {
      "target_name": "vine_native",
      "sources": [
        "native/binding/addon.cc",
        "native/binding/addon_engine.cc",
        "native/binding/addon_notify.cc",
        "native/binding/addon_peers.cc",
        "native/binding/addon_priority.cc",
        "native/binding/addon_sockets.cc",
        "native/binding/napi_util.cc",
        "native/crypto/aead.cc",
        "native/crypto/chacha_poly.cc",
        "native/engine/engine.cc",
        "native/engine/lan_receiver.cc",
        "native/engine/lan_sender.cc",
        "native/engine/tun_receiver.cc",
        "native/engine/tun_sender.cc",
        "native/engine/tunnel_receiver.cc",
        "native/engine/tunnel_sender.cc",
        "native/io/batch_io.cc",
        "native/io/endpoint.cc",
        "native/io/lan_socket.cc",
        "native/io/queue_drops.cc",
        "native/io/socket_util.cc",
        "native/io/stream.cc",
        "native/io/stream_table.cc",
        "native/io/tun_socket.cc",
        "native/io/udp_socket.cc",
        "native/offload/checksum.cc",
        "native/offload/coalesce.cc",
        "native/offload/fragment.cc",
        "native/offload/packet_shape.cc",
        "native/offload/segment.cc",
        "native/session/cookie_sender.cc",
        "native/session/handshake_guard.cc",
        "native/session/session_table.cc"
      ],
      "include_dirs": ["native"],
      "cflags!": ["-O3"],
      "cflags_cc!": ["-std=gnu++17"],
      "cflags_cc": ["-std=c++17", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "defines": ["_GNU_SOURCE", "NAPI_VERSION=8"]
    }
  ]
}
