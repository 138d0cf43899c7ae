"""Kubernetes bays, built by kubeadm."""
