#!/bin/bash
set -e
time openstack stack list
