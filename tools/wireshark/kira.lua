-- SPDX-License-Identifier: Apache-2.0
--[[
KIRA in Wireshark and tshark (kira.md, section 3): the messages on UDP port 19219 with all their objects, the
16-byte echo between neighbours, and the PathIDs and NodeIDs in the addresses of data packets.

    tshark -X lua_script:kira.lua -r capture.pcap            or copy it to ~/.local/lib/wireshark/plugins/

Filters: kira.type, kira.source, kira.route.id, kira.error.kind, kira_data.pathid, ... What does not follow the format is
marked as malformed (kira.malformed), so that a capture can be searched for it. Everything is shown as it is on the wire; rules that
need more than one message, or knowledge of the receiver, are not checked.
]]

local PORT = 19219
local ID = 14
local HEADER = 55
local ECHO = 16

local kira = Proto('kira', 'KIRA Routing Protocol')

local types = {
    [0x01] = 'ULNHello', [0x03] = 'ULNDiscReq', [0x04] = 'ULNDiscRsp', [0x09] = 'FindNodeReq', [0x0a] = 'FindNodeRsp',
    [0x0b] = 'QueryRouteReq', [0x0c] = 'QueryRouteRsp', [0x11] = 'UpdateRouteReq', [0x21] = 'ProbeReq',
    [0x22] = 'ProbeRsp', [0x70] = 'Error', [0x81] = 'PathSetupReq', [0x82] = 'PathSetupRsp',
    [0x83] = 'PathTeardownReq', [0xa1] = 'StoreReq', [0xa2] = 'StoreRsp', [0xa3] = 'FetchReq', [0xa4] = 'FetchRsp',
}
local objects = {
    [0x01] = 'Source Route', [0x02] = 'Not-Via List', [0x03] = 'Contact List', [0x04] = 'RTable Request',
    [0x05] = 'RTable', [0x06] = 'RTable Update Info', [0x07] = 'Error Data', [0x80] = 'StoreReq Data',
    [0x81] = 'StoreRsp Data', [0x82] = 'FetchReq Data', [0x83] = 'FetchRsp Data', [0xf0] = 'Link MAC (Heddle)',
    [0xf2] = 'Overlay Hops (Heddle)', [0xf3] = 'Capabilities (Heddle)',
}
local request_types = {
    [0] = 'none', [1] = 'contacts only', [2] = 'overlay neighbours', [3] = 'overlay neighbours of source',
    [4] = 'vicinity',
}
local actions = { [0] = 'announce', [1] = 'withdraw', [2] = 'change', [3] = 'unreachable' }
local error_kinds = { [0x05] = 'segment failure', [0x0a] = 'dead end' }
local store_states = { [0] = 'created', [1] = 'inserted', [2] = 'updated' }
local fetch_states = { [0] = 'found', [1] = 'not found' }
local echo_types = { [1] = 'request', [2] = 'reply' }

local f = {
    version = ProtoField.uint8('kira.version', 'Version'),
    type = ProtoField.uint8('kira.type', 'Message Type', base.HEX, types),
    flags = ProtoField.uint8('kira.flags', 'Flags', base.HEX),
    exact = ProtoField.bool('kira.flags.exact', 'Exact', 8, nil, 0x01),
    endsystem = ProtoField.bool('kira.flags.endsystem', 'End System', 8, nil, 0x04),
    diagnostic = ProtoField.bool('kira.flags.diagnostic', 'Diagnostic', 8, nil, 0x40),
    length = ProtoField.uint16('kira.length', 'Length'),
    dest = ProtoField.bytes('kira.dest', 'Destination'),
    source = ProtoField.bytes('kira.source', 'Source'),
    domain = ProtoField.uint64('kira.domain', 'Domain', base.HEX),
    message = ProtoField.uint64('kira.message', 'Message ID', base.HEX),
    ssn = ProtoField.uint32('kira.ssn', 'State Sequence Number'),
    degree = ProtoField.uint16('kira.degree', 'Source Degree'),
    object = ProtoField.uint8('kira.object', 'Object Type', base.HEX, objects),
    object_length = ProtoField.uint16('kira.object.length', 'Object Length'),
    value = ProtoField.bytes('kira.object.value', 'Value'),
    index = ProtoField.uint16('kira.route.index', 'Index'),
    hop = ProtoField.bytes('kira.route.id', 'Node'),
    link_small = ProtoField.bytes('kira.link.small', 'Link, Smaller ID'),
    link_large = ProtoField.bytes('kira.link.large', 'Link, Larger ID'),
    contact = ProtoField.bytes('kira.contact', 'Contact'),
    contact_ssn = ProtoField.uint32('kira.contact.ssn', 'State Sequence Number'),
    age = ProtoField.uint32('kira.age', 'Age (ms)'),
    contact_degree = ProtoField.uint16('kira.contact.degree', 'Degree'),
    path_length = ProtoField.uint16('kira.path.length', 'Path Length'),
    path_id = ProtoField.bytes('kira.path.id', 'Path Node'),
    action = ProtoField.uint8('kira.action', 'Action', base.DEC, actions),
    request = ProtoField.uint8('kira.request', 'Requested', base.DEC, request_types),
    radius = ProtoField.uint8('kira.radius', 'Radius'),
    error_kind = ProtoField.uint8('kira.error.kind', 'Error', base.HEX, error_kinds),
    reporter = ProtoField.bytes('kira.error.reporter', 'Reporter'),
    handle = ProtoField.bytes('kira.dht.handle', 'Handle'),
    data_length = ProtoField.uint16('kira.dht.length', 'Data Length'),
    data = ProtoField.bytes('kira.dht.data', 'Data'),
    accessed = ProtoField.uint64('kira.dht.accessed', 'Last Accessed (ms)'),
    store_status = ProtoField.uint8('kira.dht.store_status', 'Status', base.DEC, store_states),
    fetch_status = ProtoField.uint8('kira.dht.fetch_status', 'Status', base.DEC, fetch_states),
    values = ProtoField.uint16('kira.dht.values', 'Values'),
    mac_key = ProtoField.uint16('kira.mac.key', 'Key ID'),
    mac_counter = ProtoField.uint64('kira.mac.counter', 'Counter'),
    mac = ProtoField.bytes('kira.mac', 'HMAC'),
    overlay_hop = ProtoField.uint16('kira.overlay_hop', 'Overlay Hop at Position'),
    capability_version = ProtoField.uint8('kira.capabilities.version', 'Version'),
    capabilities = ProtoField.uint8('kira.capabilities', 'Capabilities', base.HEX),
    can_echo = ProtoField.bool('kira.capabilities.echo', 'Answers Echoes', 8, nil, 0x01),
    can_notice = ProtoField.bool('kira.capabilities.notice', 'Understands Routed Notices', 8, nil, 0x02),
    fast_echo = ProtoField.bool('kira.capabilities.fast_echo', 'Echoes Answered by the Kernel', 8, nil, 0x04),
    goodbye = ProtoField.bool('kira.capabilities.goodbye', 'Goodbye', 8, nil, 0x10),
    echo_type = ProtoField.uint8('kira.echo', 'Echo', base.DEC, echo_types),
    echo_tag = ProtoField.uint32('kira.echo.tag', 'Tag', base.HEX),
    echo_nonce = ProtoField.uint64('kira.echo.nonce', 'Nonce', base.HEX),
    trailing = ProtoField.bytes('kira.trailing', 'Bytes Behind the Message'),
}
kira.fields = {}
for _, field in pairs(f) do
    table.insert(kira.fields, field)
end

local malformed = ProtoExpert.new('kira.malformed', 'Malformed', expert.group.MALFORMED, expert.severity.ERROR)
kira.experts = { malformed }

--- A reader of one object's value: `left` bytes from `at`. What does not fit is marked once, and nothing is read behind it.
local Cursor = {}
Cursor.__index = Cursor

local function cursor(tvb, at, len, tree)
    return setmetatable({ tvb = tvb, at = at, stop = at + len, tree = tree, good = true }, Cursor)
end

function Cursor:left()
    return self.good and self.stop - self.at or 0
end

function Cursor:fail(what)
    if self.good then
        self.good = false
        self.tree:add_proto_expert_info(malformed, what)
    end
end

--- Adds a field of so many bytes to a tree; returns its bytes, nil when they are not there.
function Cursor:take(field, len, tree)
    if self:left() < len then
        self:fail(string.format('%d bytes expected, %d are left', len, self:left()))
        return nil
    end
    local range = self.tvb(self.at, len)
    self.at = self.at + len
    if len > 0 then
        (tree or self.tree):add(field, range)
    end
    return range
end

function Cursor:uint(field, len, tree)
    local range = self:take(field, len, tree)
    return range and range:uint() or 0
end

--- A subtree over the bytes that fill(subtree) takes.
function Cursor:group(name, fill)
    local from = self.at
    local sub = self.tree:add(kira, self.tvb(from, self:left()), name)
    fill(sub)
    sub:set_len(math.max(self.at - from, 0))
    return sub
end

local function take_ids(c, field, tree)
    while c:left() > 0 do
        c:take(field, ID, tree)
    end
end

local function source_route(c)
    local index = c:uint(f.index, 2)
    local count, position = math.floor(c:left() / ID), 0
    if count < 2 or index < 1 or index >= count then
        c:fail(string.format('index %d of %d nodes', index, count))
    end
    while c:left() > 0 do
        local range = c:take(f.hop, ID)
        if range and position == index then
            c.tree:append_text(string.format(', %d nodes, now at %d: %s', count, index, range:bytes():tohex(true)))
        end
        position = position + 1
    end
end

local function link(c, tree)
    c:take(f.link_small, ID, tree)
    c:take(f.link_large, ID, tree)
end

local function not_via(c)
    while c:left() > 0 do
        c:group('Link', function(sub)
            link(c, sub)
            c:take(f.age, 4, sub)
        end)
    end
end

local function contact_end(c, sub)
    c:take(f.contact_ssn, 4, sub)
    c:take(f.age, 4, sub)
    c:take(f.contact_degree, 2, sub)
end

local function contacts(c)
    while c:left() > 0 do
        c:group('Contact', function(sub)
            c:take(f.contact, ID, sub)
            contact_end(c, sub)
        end)
    end
end

local function entry(c, sub)
    local id = c:take(f.contact, ID, sub)
    local count, last = c:uint(f.path_length, 2, sub), nil
    for _ = 1, count do
        if not c.good then
            return
        end
        last = c:take(f.path_id, ID, sub)
    end
    if c.good and (last == nil or last:bytes() ~= id:bytes()) then
        c:fail('a path ends in its contact')
    end
    contact_end(c, sub)
end

local function rtable(c)
    while c:left() > 0 do
        c:group('Entry', function(sub) entry(c, sub) end)
    end
end

local function update_info(c)
    while c:left() > 0 do
        c:group('Entry', function(sub)
            entry(c, sub)
            local action = c:uint(f.action, 1, sub)
            sub:append_text(', ' .. (actions[action] or 'unknown action'))
        end)
    end
end

local function rtable_request(c)
    c:take(f.request, 1)
    c:take(f.radius, 1)
end

local function error_data(c)
    local kind = c:uint(f.error_kind, 1)
    c.tree:append_text(', ' .. (error_kinds[kind] or 'unknown'))
    if kind == 0x05 then
        c:take(f.reporter, ID)
        link(c)
    end
end

local function store_request(c)
    c:take(f.handle, ID)
    c:take(f.data, c:uint(f.data_length, 2))
    if c:left() > 0 then
        c:take(f.accessed, 8)
    end
end

local function fetch_response(c)
    if c:uint(f.fetch_status, 1) ~= 0 then
        return
    end
    for _ = 1, c:uint(f.values, 2) do
        if c.good then
            c:take(f.data, c:uint(f.data_length, 2))
        end
    end
end

local function mac(c)
    c:take(f.mac_key, 2)
    c:take(f.mac_counter, 8)
    c:take(f.mac, 16)
end

local function overlay_hops(c)
    while c:left() > 0 do
        c:take(f.overlay_hop, 2)
    end
end

local function capabilities(c)
    c:take(f.capability_version, 1)
    local flags = c:take(f.capabilities, 1)
    if flags then
        for _, field in ipairs({ f.can_echo, f.can_notice, f.fast_echo, f.goodbye }) do
            c.tree:add(field, flags)
        end
    end
end

local readers = {
    [0x01] = source_route, [0x02] = not_via, [0x03] = contacts, [0x04] = rtable_request, [0x05] = rtable,
    [0x06] = update_info, [0x07] = error_data, [0x80] = store_request,
    [0x81] = function(c) c:take(f.store_status, 1) end,
    [0x82] = function(c) c:take(f.handle, ID) end,
    [0x83] = fetch_response, [0xf0] = mac, [0xf2] = overlay_hops, [0xf3] = capabilities,
}

--- One object: header, then its value, which its reader must use up. Returns where the next one begins.
local function object(tvb, at, stop, tree)
    if stop - at < 3 then
        tree:add_proto_expert_info(malformed, 'an object ends within its header')
        return stop
    end
    local kind, len = tvb(at, 1):uint(), tvb(at + 1, 2):uint()
    local room = math.min(len, stop - at - 3)
    local sub = tree:add(kira, tvb(at, 3 + room), objects[kind] or string.format('Unknown Object 0x%02x', kind))
    sub:add(f.object, tvb(at, 1))
    sub:add(f.object_length, tvb(at + 1, 2))
    if room < len then
        sub:add_proto_expert_info(malformed, 'the object ends behind its message')
        return stop
    end
    local c = cursor(tvb, at + 3, len, sub)
    if readers[kind] then
        readers[kind](c)
        if c:left() > 0 then
            c:fail(string.format('%d bytes too many', c:left()))
        end
    elseif len > 0 then
        sub:add(f.value, tvb(at + 3, len))
    end
    return at + 3 + len
end

local function flags(tvb, tree)
    local sub = tree:add(f.flags, tvb)
    sub:add(f.exact, tvb)
    sub:add(f.endsystem, tvb)
    sub:add(f.diagnostic, tvb)
end

local function header(tvb, tree)
    tree:add(f.version, tvb(0, 1))
    tree:add(f.type, tvb(1, 1))
    flags(tvb(2, 1), tree)
    tree:add(f.length, tvb(3, 2))
    tree:add(f.dest, tvb(5, ID))
    tree:add(f.source, tvb(19, ID))
    tree:add(f.domain, tvb(33, 8))
    tree:add(f.message, tvb(41, 8))
    tree:add(f.ssn, tvb(49, 4))
    tree:add(f.degree, tvb(53, 2))
end

local function dissect_echo(tvb, pinfo, root)
    local tree = root:add(kira, tvb(0, ECHO), 'KIRA Echo')
    local kind = tvb(1, 1):uint()
    tree:add(f.echo_type, tvb(1, 1))
    tree:add(f.echo_tag, tvb(4, 4))
    tree:add(f.echo_nonce, tvb(8, 8))
    if not echo_types[kind] then
        tree:add_proto_expert_info(malformed, 'neither request nor reply')
    end
    pinfo.cols.info:set('Echo ' .. (echo_types[kind] or '?'))
    return ECHO
end

local function short_id(range)
    return range:bytes():tohex(true):sub(1, 8)
end

function kira.dissector(tvb, pinfo, root)
    local len = tvb:len()
    pinfo.cols.protocol:set('KIRA')
    if len == ECHO and tvb(0, 1):uint() == 0xec then
        return dissect_echo(tvb, pinfo, root)
    end
    local tree = root:add(kira, tvb())
    if len < HEADER then
        tree:add_proto_expert_info(malformed, 'shorter than a header')
        return len
    end
    header(tvb, tree)
    local kind, stop = tvb(1, 1):uint(), tvb(3, 2):uint()
    local name = types[kind] or string.format('Unknown 0x%02x', kind)
    tree:append_text(', ' .. name)
    pinfo.cols.info:set(string.format('%s %s -> %s', name, short_id(tvb(19, ID)), short_id(tvb(5, ID))))
    if stop < HEADER or stop > len then
        tree:add_proto_expert_info(malformed, 'the length does not fit')
        return len
    end
    if not types[kind] then
        tree:add_proto_expert_info(malformed, 'unknown message type')
    end
    local at = HEADER
    while at < stop do
        at = object(tvb, at, stop, tree)
    end
    if stop < len then
        tree:add(f.trailing, tvb(stop))
    end
    return len
end

DissectorTable.get('udp.port'):add(PORT, kira)

--[[ Data packets: the addresses of a node (fc00::/16) and of a path (fcaa::/16) carry 14 bytes of meaning. A labelled packet
has two IPv6 headers, outside the label and inside the nodes. ]]
local data = Proto('kira_data', 'KIRA Data Plane')
local d = {
    pathid = ProtoField.bytes('kira_data.pathid', 'PathID'),
    source = ProtoField.bytes('kira_data.source', 'Source NodeID'),
    dest = ProtoField.bytes('kira_data.dest', 'Destination NodeID'),
}
data.fields = { d.pathid, d.source, d.dest }

local sources, dests = Field.new('ipv6.src'), Field.new('ipv6.dst')

local function show(fields, prefix, field, tree, found)
    for _, info in ipairs(fields) do
        local range = info.range
        if range:len() == 16 and range(0, 2):uint() == prefix then
            tree = tree or found.root:add(data)
            found.tree = tree
            tree:add(field, range(2, ID))
            found[field] = range(2, ID):bytes():tohex(true)
        end
    end
    return tree
end

function data.dissector(_, pinfo, root)
    local found = { root = root }
    local tree = show({ dests() }, 0xfcaa, d.pathid, nil, found)
    tree = show({ sources() }, 0xfc00, d.source, tree, found)
    show({ dests() }, 0xfc00, d.dest, tree, found)
    if found[d.pathid] then
        pinfo.cols.info:append(' [PathID ' .. found[d.pathid]:sub(1, 8) .. ']')
    end
end

register_postdissector(data)
